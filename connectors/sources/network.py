"""Opens a network stream that FFmpeg reads, for ``live.py``: RTSP, MJPEG and HLS by HTTP, RTMP, UDP, RTP, SRT.

Needs: av; for SRT also the program ``ffmpeg``, because FFmpeg in PyAV does not speak it.
Secrets: user and password in the URL, or from the environment or a file. They reach no log and no error.
"""

import errno
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from connectors.pictures.rgb import ToRgb
from connectors.pictures.whole_image import is_whole_picture
from connectors.redaction import redact_url
from connectors.sources.certificates import authorities, why_refused
from connectors.sources.credentials import address_with_credentials
from connectors.sources.ffmpeg_relay import FfmpegRelay
from connectors.sources.ffmpeg_words import error_words
from connectors.sources.hardware_decoding import NONE, HardwareDecodingError, check_kind, decoder_of, open_video
from connectors.sources.live import DAMAGED, NoPicture, Picture
from connectors.sources.live_reading import ReadingEndedError
from connectors.sources.missing_pictures import MissingPictures
from connectors.sources.picture_stream import picture_stream
from pipeline.core.errors import ConfigError
from pipeline.core.interfaces import PacketTap

OPTIONS = {"fpsprobesize": "0", "analyzeduration": "1000000"}
"""Options of FFmpeg.

Without measuring the frame rate, the first picture arrives after 0.3 s instead of 1.1 s (25 frames/s). The common
``fflags=nobuffer`` discards what was read before, key frame included: the first picture arrives after 2.1 s, and later
ones no sooner.
"""

NO_HLS = {"format_whitelist": "mpjpeg,mjpeg,jpeg_pipe,png_pipe,mpegts,h264,hevc,flv,matroska,mov"}
"""Options of FFmpeg for ``https`` that is verified: the parts of HLS would be opened without verification."""

PARTS, MJPEG = "mpjpeg", "mjpeg"
"""Formats of FFmpeg: pictures in parts whose kind and length are stated, and JPEG pictures in whatever is sent.

Cameras state wrong lengths, or ``image/jpg``.
"""

SNAPSHOTS = {".jpg": "jpeg_pipe", ".jpeg": "jpeg_pipe", ".png": "png_pipe"}
"""Format of FFmpeg for an address with such an ending. By itself, FFmpeg takes such a name for a file."""

SINGLE_PICTURES = ("mjpeg", "png")
"""Codecs of which each packet is an image of its own."""

PORTS = {"rtsps": 322, "https": 443, "rtmps": 443}
"""Encrypted schemes, and their usual ports."""

TRANSPORTS: Mapping[str, Sequence[str]] = {
    "tcp": ("tcp",),
    "udp": ("udp",),
    "udp_multicast": ("udp_multicast",),
    "http": ("http",),
    "auto": ("tcp", "udp"),
}
"""Transports of RTSP, and what FFmpeg tries for each, in order."""

SNAPSHOT_EVERY_S = 0.2
"""Seconds between two requests to a camera that answers each with one picture. More see people less often."""

MAX_AHEAD_S = 10.0
"""Seconds that a picture of HLS may be ahead of its time; above that, its clock leapt. More wait for longer."""

MAX_BEHIND_S = 2.0
"""Seconds that a picture of HLS may be late before all later ones are shifted. More catch up for longer."""

MAX_HOLE_S = 10.0
"""Seconds without a picture up to which pictures count as lost. A longer hole is a pause of the camera."""

NEVER_CAME = "the network, or the camera, lost it on the way"

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


class NetworkOpener:
    """Opens the stream of a network camera. Of an encrypted one, the certificate is verified.

    Args:
        uri: ``rtsp://user:password@host:554/path``, or another address that FFmpeg reads.
        threads: Threads of the decoder; at least 1.
        transport: Of RTSP: ``tcp``, ``udp``, ``udp_multicast``, ``http`` or ``auto``, which is TCP and then UDP.
        username: The user, unless the address holds one.
        password_env: Environment variable that holds the password.
        password_file: File that holds the password.
        options: More options of FFmpeg, by name.
        ca_file: Authorities that may sign the camera's certificate, or the certificate itself if the camera signs its
            own (PEM); None: those of this system.
        verify: False: look at no certificate. Anybody between here and the camera may then see and change its pictures.
        hwaccel: What decodes: ``none`` for the processor, ``cuda``, ``vaapi``, ``qsv``; ``auto`` for what is there.

    Attributes:
        address: The URL without user and password.
        advice: What to check when the camera sends nothing.
        is_unverified: It is encrypted, and its certificate is not looked at.
        decoder: What decodes it; empty before it is open.
        tap: Sees the packets before they are decoded.

    Raises:
        ConfigError: If the transport or ``hwaccel`` is none of these, or there is no file of authorities.
    """

    def __init__(
        self,
        uri: str,
        *,
        threads: int,
        transport: str = "tcp",
        username: str | None = None,
        password_env: str | None = None,
        password_file: str | None = None,
        options: Mapping[str, object] | None = None,
        ca_file: str | None = None,
        verify: bool = True,
        hwaccel: str = NONE,
    ) -> None:
        self.address = redact_url(uri)
        if transport not in TRANSPORTS:
            raise ConfigError(f"opener.transport: expected one of {', '.join(TRANSPORTS)}, got {transport}; correct it")
        self._uri = uri
        self._hwaccel = check_kind(self.address, hwaccel)
        self.decoder = ""
        self._is_snapshot = self._sends_whole = False
        self.tap: PacketTap | None = None
        self._with_credentials = partial(
            address_with_credentials,
            uri,
            block="opener",
            username=username,
            password_env=password_env,
            password_file=password_file,
        )
        scheme, ending = urlsplit(uri).scheme.lower(), PurePosixPath(urlsplit(uri).path).suffix.lower()
        self._is_relayed = scheme == "srt"
        self._threads = threads
        self._transports = TRANSPORTS[transport] if scheme.startswith("rtsp") else ("",)
        self._format: str | None = SNAPSHOTS.get(ending) if scheme.startswith("http") else None
        self._port = PORTS.get(scheme)
        self._authorities = authorities(ca_file) if self._port is not None and verify else None
        self.is_unverified = self._port is not None and not verify
        self.advice = "address, user and password, that the camera is on, and that the network reaches it"
        trusted: dict[str, str] = {}
        if self._authorities is not None:
            trusted = {"tls_verify": "1", "ca_file": self._authorities, **(NO_HLS if scheme == "https" else {})}
        self._options = {**OPTIONS, **{name: str(value) for name, value in (options or {}).items()}, **trusted}

    def check(self) -> None:
        """Raise ``ConfigError`` if user or password are not as they should be; opens nothing."""
        self._with_credentials()

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture | NoPicture]:
        """Open the stream and yield its pictures as they arrive; ``NoPicture`` for those that are damaged or missing.

        An address that gives one picture is asked again and again, every ``SNAPSHOT_EVERY_S``.

        Raises:
            ReadingEndedError: If it cannot be opened, is not who it says it is, holds no pictures, or breaks.
        """
        self._is_snapshot = False
        while True:
            began, num_pictures = time.monotonic(), 0
            for picture in self._read(self._decoded, (open_timeout_s, read_timeout_s)):
                num_pictures += 1
                yield picture
            if not self._is_snapshot:
                return
            if num_pictures == 0:
                yield DAMAGED
            time.sleep(max(0.0, began + SNAPSHOT_EVERY_S - time.monotonic()))

    def packets(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[av.Packet]:
        """Open the stream and yield the packets of its pictures as they arrive, not decoded.

        Raises:
            ReadingEndedError: As ``pictures``.
        """
        yield from self._read(_packets, (open_timeout_s, read_timeout_s))

    def _read(self, read: Callable[[InputContainer], Iterator[Item]], timeout_s: tuple[float, float]) -> Iterator[Item]:
        reason, kind = None, ""
        try:
            with ExitStack() as opened:
                container = self._open(opened, timeout_s)
                kind = container.format.name
                yield from read(container)
        except (av.error.FFmpegError, OSError) as error:
            # The error itself holds the whole address, so it must not become the cause of the one below.
            reason = "the end of the connection" if error.errno == errno.EIO else error_words(error)
            if not kind and (error.errno == errno.EIO or isinstance(error, av.error.InvalidDataError)):
                reason = self._why_no_video()
            if kind.endswith("_pipe") and error.errno == errno.EIO:
                reason = None  # of a picture whose length is not stated, FFmpeg cannot know that this is the end
            if kind == PARTS and isinstance(error, av.error.InvalidDataError):
                self._format = MJPEG
        except IndexError:  # PyAV's, for a stream that began after it was opened
            reason = "other streams than at the beginning"
        except HardwareDecodingError as error:
            reason = f"no pictures with hwaccel={self._hwaccel} ({error}; set auto or none)"
        except ConfigError as error:
            reason = str(error)
        if kind == PARTS and self._format == MJPEG:
            logger.warning("%s: its parts cannot be read; JPEG pictures are looked for in what it sends", self.address)
            yield from self._read(read, timeout_s)
        elif reason is not None:
            raise ReadingEndedError(self._why_untrusted(timeout_s[0]) or reason)

    def _why_no_video(self) -> str:
        """Return what FFmpeg does not tell apart: there is no such machine, or it sends something else."""
        parts = urlsplit(self._uri)
        if parts.hostname:
            try:
                socket.getaddrinfo(parts.hostname, 0)
            except (OSError, UnicodeError):
                return f"no machine named {parts.hostname}"
        return "no video, perhaps a web page" if parts.scheme.startswith("http") else "no video"

    def _why_untrusted(self, timeout_s: float) -> str | None:
        """Return what is wrong with the camera's certificate, which FFmpeg does not say; None if nothing is."""
        if self._authorities is None or self._port is None:
            return None
        parts = urlsplit(self._uri)
        why = why_refused(parts.hostname or "", parts.port or self._port, self._authorities, timeout_s)
        if why is not None:
            self.advice = "that the address is the camera's, and name its authority or its own certificate as ca_file"
        elif parts.path.endswith(".m3u8"):
            self.advice = "that it is no HLS, of which certificates cannot be verified; verify: false reads it"
        return why

    def _open(self, opened: ExitStack, timeout_s: tuple[float, float]) -> InputContainer:
        address = self._with_credentials()
        if self._is_relayed:
            relay = opened.enter_context(FfmpegRelay(address))
            container: InputContainer = opened.enter_context(open_video(relay, self._hwaccel, format="mpegts"))
            return container
        for transport in self._transports:
            options = {**({"rtsp_transport": transport} if transport else {}), **self._options}
            try:
                container = opened.enter_context(
                    open_video(address, self._hwaccel, options=options, timeout=timeout_s, format=self._format)
                )
            except (av.error.FFmpegError, OSError):
                if transport == self._transports[-1]:
                    raise
            else:
                return container
        raise AssertionError("a transport is tried")

    def _decoded(self, container: InputContainer) -> Iterator[Picture | NoPicture]:
        stream = _stream(container)
        # Threads by frame would delay the stream by one picture each.
        stream.codec_context.thread_type = "SLICE"
        stream.codec_context.thread_count = self._threads
        self.decoder = decoder_of(stream, self._hwaccel)
        self._is_snapshot = self._is_snapshot or container.format.name.endswith("_pipe")
        to_rgb, has_begun = ToRgb(), False
        sender = SenderClock()
        missing = MissingPictures(MAX_HOLE_S / float(stream.time_base)) if stream.time_base else None
        # A server of HLS sends a segment at once, and of a live camera only the newest picture counts.
        pace = Pace() if container.format.name in ("hls", "dash") else None
        for packet in container.demux(stream):
            sender.learn(packet)
            if self.tap is not None and packet.size:
                self.tap.packet(packet)
            if missing is not None and packet.size:
                for hole in missing.push(packet.pts):
                    yield NoPicture(NEVER_CAME, len(hole.stamps))
            if packet.size and stream.codec_context.name in SINGLE_PICTURES:
                # FFmpeg takes half a picture for a good one; a camera may leave out the end of each.
                is_whole = is_whole_picture(bytes(packet))
                self._sends_whole = self._sends_whole or is_whole
                if self._sends_whole and not is_whole:
                    yield DAMAGED
                    continue
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                # Normal before the first key frame. If it persists, the reading's time-out ends it.
                if has_begun:
                    yield DAMAGED
                continue
            has_begun = has_begun or bool(decoded)
            for picture in decoded:
                assert isinstance(picture, av.VideoFrame)
                if pace is not None and picture.time is not None:
                    pace.wait_for(picture.time)
                yield Picture(
                    partial(to_rgb.image, picture), sender.captured_at(picture), picture.time, picture.is_corrupt
                )


def _stream(container: InputContainer) -> VideoStream:
    stream = picture_stream(container)
    if stream is None:
        raise ReadingEndedError("a stream without pictures that can be decoded")
    return stream


def _packets(container: InputContainer) -> Iterator[av.Packet]:
    stream = _stream(container)
    yield from (packet for packet in container.demux(stream) if packet.size)


class SenderClock:
    """When pictures were taken, by the sender's clock: RTCP relates the times of an RTSP stream to it."""

    def __init__(self) -> None:
        self._known: tuple[float, int] | None = None

    def learn(self, packet: av.Packet) -> None:
        """Take the time of a packet, if it has one."""
        if packet.pts is not None and packet.has_sidedata("prft"):
            (wall_us,) = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))
            self._known = wall_us / 1e6, packet.pts

    def captured_at(self, picture: av.VideoFrame) -> float | None:
        """Return the Unix seconds of a picture by the sender's clock; None while it has not been sent."""
        if self._known is None or picture.pts is None or picture.time_base is None:
            return None
        wall_s, pts = self._known
        return wall_s + float((picture.pts - pts) * picture.time_base)


class Pace:
    """Lets pictures that come in bursts pass at the times of their stream."""

    def __init__(self) -> None:
        self._origin: float | None = None

    def wait_for(self, seconds: float) -> None:
        """Wait until a picture is due; ``seconds`` is its time in the stream."""
        now = time.monotonic()
        if self._origin is not None and -MAX_BEHIND_S < self._origin + seconds - now < MAX_AHEAD_S:
            time.sleep(max(0.0, self._origin + seconds - now))
        else:
            self._origin = now - seconds
