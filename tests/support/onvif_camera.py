"""An ONVIF camera on the loopback address: it answers WS-Discovery and the calls that lead to its streams."""

import base64
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from connectors.onvif.discovery import GROUP

LOOPBACK = "127.0.0.1"
ENVELOPE = '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"{}><s:Body>{}</s:Body></s:Envelope>'
SPACES = (
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
    ' xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
)
PROFILE = (
    '<trt:Profiles token="{0}"><tt:Name>{0}</tt:Name><tt:VideoEncoderConfiguration token="v{0}"><tt:Encoding>H264'
    "</tt:Encoding><tt:Resolution><tt:Width>{1}</tt:Width><tt:Height>{2}</tt:Height></tt:Resolution><tt:RateControl>"
    "<tt:FrameRateLimit>15</tt:FrameRateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles>"
)


class OnvifCamera:
    """A camera with streams of these sizes; a context manager.

    Args:
        sizes_wh: Width and height of each stream.
        user: User and password that it wants; None: none.
        media_host: The host that it believes it has.
        hour: Of its clock, which is wrong; a token that was made at another hour is refused.
    """

    def __init__(
        self,
        sizes_wh: Sequence[tuple[int, int]] = ((1920, 1080), (640, 360)),
        *,
        user: tuple[str, str] | None = None,
        media_host: str = LOOPBACK,
        hour: int = 3,
    ) -> None:
        self.sizes_wh, self.user, self.media_host, self.hour = sizes_wh, user, media_host, hour
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                return

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = camera.answer(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(ENVELOPE.format(SPACES, answer).encode())

        self._http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.port = self._http.server_port
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._udp.bind((GROUP[0], GROUP[1]))
        member = struct.pack("4s4s", socket.inet_aton(GROUP[0]), socket.inet_aton(LOOPBACK))
        self._udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._http.serve_forever, self._listen)
        ]
        self._is_over = False

    def __enter__(self) -> "OnvifCamera":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()
        self._udp.close()

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/onvif/device_service"

    def answer(self, body: str) -> tuple[int, str]:
        """Return the status and the body of an answer."""
        if "GetSystemDateAndTime" in body:
            date = f"<tt:Hour>{self.hour}</tt:Hour><tt:Minute>30</tt:Minute><tt:Second>0</tt:Second>"
            day = "<tt:Year>2004</tt:Year><tt:Month>2</tt:Month><tt:Day>29</tt:Day>"
            return 200, f"<tds:SystemDateAndTime><tt:UTCDateTime>{date}{day}</tt:UTCDateTime></tds:SystemDateAndTime>"
        if not self._is_allowed(body):
            return 400, "<s:Fault><s:Code><s:Value>ter:NotAuthorized</s:Value></s:Code></s:Fault>"
        if "GetCapabilities" in body:
            return 200, f"<tt:Media><tt:XAddr>http://{self.media_host}:{self.port}/onvif/media</tt:XAddr></tt:Media>"
        if "GetProfiles" in body:
            return 200, "".join(PROFILE.format(f"P{place}", *size) for place, size in enumerate(self.sizes_wh))
        token = re.search(r"ProfileToken>(\w+)<", body)
        assert token is not None
        return 200, f"<trt:Uri>rtsp://{LOOPBACK}:554/{token[1]}?a=1&amp;b=2</trt:Uri>"

    def _is_allowed(self, body: str) -> bool:
        if self.user is None:
            return True
        found = {
            name: re.search(rf"{name}[^>]*>([^<]+)<", body) for name in ("Username", "Password", "Nonce", "Created")
        }
        if None in found.values():
            return False
        name, digest, nonce, created = (match[1] for match in found.values() if match)
        expected = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self.user[1].encode()).digest()
        is_now = created.startswith(f"2004-02-29T{self.hour:02}:")
        return name == self.user[0] and digest == base64.b64encode(expected).decode() and is_now

    def _listen(self) -> None:
        self._udp.settimeout(0.1)
        while not self._is_over:
            try:
                question, asker = self._udp.recvfrom(65536)
            except TimeoutError:
                continue
            if b"NetworkVideoTransmitter" not in question:
                continue
            scopes = "onvif://www.onvif.org/name/T%C3%BCr%20S%C3%BCd onvif://www.onvif.org/hardware/X-1"
            match = f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>http://10.9.9.9/x {self.address}</d:XAddrs>"
            answer = f"<d:ProbeMatches><d:ProbeMatch>{match}</d:ProbeMatch></d:ProbeMatches>"
            self._udp.sendto(b"no answer at all", asker)
            self._udp.sendto(ENVELOPE.format(SPACES, answer).encode(), asker)
