"""Asks one ONVIF camera for its streams: SOAP by HTTP, as ONVIF's Media service 1.0 says."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from connectors.onvif.discovery import local_name, parse_xml
from connectors.redaction import redact_url

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"

DEVICE_PATH = "/onvif/device_service"
"""Where the device service of every ONVIF camera is."""


class CameraRefusedError(Exception):
    """The camera gave no streams; the message says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a camera.

    Attributes:
        name: As the camera calls it.
        uri: Its address, without user and password.
        codec: For instance H264; empty if the camera does not say.
        size_wh: Width and height, pixels; zeros likewise.
        fps: Frames a second at most; 0 likewise.
    """

    name: str
    uri: str
    codec: str = ""
    size_wh: tuple[int, int] = (0, 0)
    fps: float = 0.0


class OnvifDevice:
    """One camera.

    Args:
        address: Of its device service, or its host name.
        user: User and password; None: it is asked without.
        timeout_s: Seconds within which each answer must come.
    """

    def __init__(self, address: str, user: tuple[str, str] | None, *, timeout_s: float) -> None:
        self.address = address if "://" in address else f"http://{address}{DEVICE_PATH}"
        self._user = user
        # Its certificate is its own in nearly all cameras; passwords go as digests only.
        digest = None if user is None else httpx.DigestAuth(*user)  # some cameras ask for it by HTTP
        self._client = httpx.Client(timeout=timeout_s, verify=False, trust_env=False, auth=digest)
        self._ahead = timedelta()

    def streams(self) -> list[Stream]:
        """Return the streams of the camera, the largest first.

        Raises:
            CameraRefusedError: If it does not answer, or not with streams.
        """
        with self._client:
            self._learn_clock()
            media = self._media_address()
            asked = self._call(media, f'<GetProfiles xmlns="{MEDIA}"/>')
            found = [self._stream(media, each) for each in _all(asked, "Profiles")]
        streams = [stream for stream in found if stream is not None]
        if not streams:
            raise CameraRefusedError("no profile with a stream")
        unique = {stream.uri: stream for stream in reversed(streams)}
        return sorted(unique.values(), key=lambda stream: (-stream.size_wh[0] * stream.size_wh[1], stream.uri))

    def _learn_clock(self) -> None:
        """Learn how far the camera's clock is ahead: a digest holds for a few seconds of its own time."""
        answer = self._call(self.address, f'<GetSystemDateAndTime xmlns="{DEVICE}"/>', is_open=True)
        utc = _first(answer, "UTCDateTime")
        if utc is None:
            return
        names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
        try:
            year, month, day, hour, minute, second = (int(_text(utc, name)) for name in names)
            self._ahead = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - datetime.now(UTC)
        except ValueError:
            return

    def _media_address(self) -> str:
        answer = self._call(
            self.address, f'<GetCapabilities xmlns="{DEVICE}"><Category>Media</Category></GetCapabilities>'
        )
        media = _first(answer, "Media")
        address = "" if media is None else _text(media, "XAddr")
        if urlsplit(address).scheme not in ("http", "https"):
            raise CameraRefusedError("no Media service")
        # The camera's own idea of its address may be wrong behind a router, and user and password go to no other host.
        here, there = urlsplit(self.address), urlsplit(address)
        port = "" if there.port is None else f":{there.port}"
        host = f"[{here.hostname}]" if ":" in (here.hostname or "") else here.hostname
        return urlunsplit((there.scheme, f"{host}{port}", there.path, there.query, ""))

    def _stream(self, media: str, profile: ElementTree.Element) -> Stream | None:
        token = profile.attrib.get("token", "")
        answer = self._call(
            media,
            f'<GetStreamUri xmlns="{MEDIA}"><StreamSetup><Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
            f"<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>",
        )
        uri = _without_user(_text(answer, "Uri"))
        if urlsplit(uri).scheme not in ("rtsp", "rtsps"):
            return None
        encoder = _first(profile, "VideoEncoderConfiguration")
        name = _text(profile, "Name") or token
        if encoder is None:
            return Stream(name, uri)
        size_wh = round(_number(encoder, "Width")), round(_number(encoder, "Height"))
        return Stream(name, uri, _text(encoder, "Encoding"), size_wh, _number(encoder, "FrameRateLimit"))

    def _call(self, address: str, body: str, *, is_open: bool = False) -> ElementTree.Element:
        """Return the body of the answer.

        Args:
            address: Of the service.
            body: What is asked.
            is_open: It is asked without a user; whatever is answered is returned.

        Raises:
            CameraRefusedError: If there is none, or it is a fault.
        """
        header = "" if is_open or self._user is None else self._security(*self._user)
        content = (
            '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
            f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        ).encode()
        headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
        try:
            response = self._client.post(address, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise CameraRefusedError(f"no answer from {redact_url(address)} ({reason})") from None
        root = parse_xml(response.content)
        if is_open:  # some cameras want a user even for their clock
            return ElementTree.Element("none") if root is None else root
        fault = None if root is None else _first(root, "Fault")
        if response.status_code == 401 or (fault is not None and b"NotAuthorized" in response.content):
            wanted = "another user or password" if self._user else "a user and a password"
            raise CameraRefusedError(f"the camera wants {wanted}")
        if fault is not None:
            raise CameraRefusedError(_text(fault, "Text") or _text(fault, "faultstring") or "a fault without words")
        answer = None if root is None else _first(root, "Body")
        if answer is None:
            raise CameraRefusedError(f"no SOAP from {redact_url(address)} (status {response.status_code})")
        return answer

    def _security(self, name: str, password: str) -> str:
        """Return the header of WS-Security with a digest of the password."""
        nonce = secrets.token_bytes(16)
        created = (datetime.now(UTC) + self._ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()
        return (
            f'<Security xmlns="{SECURITY}-wssecurity-secext-1.0.xsd"><UsernameToken><Username>{escape(name)}</Username>'
            f'<Password Type="{SECURITY}-username-token-profile-1.0#PasswordDigest">{digest}</Password>'
            f'<Nonce EncodingType="{SECURITY}-soap-message-security-1.0#Base64Binary">'
            f"{base64.b64encode(nonce).decode()}</Nonce>"
            f'<Created xmlns="{SECURITY}-wssecurity-utility-1.0.xsd">{created}</Created></UsernameToken></Security>'
        )


def _all(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if local_name(each) == name]


def _first(root: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next(iter(_all(root, name)), None)


def _text(root: ElementTree.Element, name: str) -> str:
    found = _first(root, name)
    return "" if found is None else (found.text or "").strip()


def _number(root: ElementTree.Element, name: str) -> float:
    try:
        return float(_text(root, name))
    except ValueError:
        return 0.0


def _without_user(uri: str) -> str:
    """Return an address without user and password, which some cameras put into it."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))
