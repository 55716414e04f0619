"""Opens a network camera for ``live.py``: RTSP over TCP, or MJPEG and MPEG-TS over HTTP.

Needs: av.
Secrets: user and password in the URL. They reach no log and no error.
"""

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import av
import av.error

from connectors.pictures.rgb import ToRgb
from connectors.redaction import redact_url
from connectors.sources.certificates import authorities, why_refused
from connectors.sources.hardware_decoding import NONE, HardwareDecodingError, check_kind, decoder_of, open_video
from connectors.sources.live import Picture
from connectors.sources.live_reading import ReadingEndedError

RTSP = {"rtsp_transport": "tcp", "fpsprobesize": "0", "analyzeduration": "1000000"}
"""Options of FFmpeg for ``rtsp`` and ``rtsps``.

Without measuring the frame rate, the first picture arrives after 0.3 s instead of 1.1 s (25 frames/s). The common
``fflags=nobuffer`` discards what was read before, key frame included: the first picture arrives after 2.1 s, and later
ones no sooner.
"""
HTTP = {**RTSP, "format_whitelist": "mpjpeg,mjpeg,jpeg_pipe,mpegts,h264,hevc,flv,matroska,mov"}
"""Options of FFmpeg for ``http`` and ``https``. HLS is left out: its parts would be opened without any verification."""
PORTS = {"rtsps": 322, "https": 443}
"""Encrypted schemes, and their usual ports."""


class NetworkOpener:
    """Opens the stream of a network camera. Of an encrypted one, the certificate is verified.

    Args:
        uri: ``rtsp://user:password@host:554/path``, ``rtsps://…``, ``http://…`` or ``https://…``.
        threads: Threads of the decoder; at least 1.
        ca_file: Authorities that may sign the camera's certificate, or the certificate itself if the camera signs its
            own (PEM); None: those of this system.
        verify: False: look at no certificate. Anybody between here and the camera may then see and change its pictures.
        hwaccel: What decodes: ``none`` for the processor, ``cuda``, ``vaapi``, ``qsv``; ``auto`` for what is there.

    Attributes:
        address: The URL without user and password.
        advice: What to check when the camera sends nothing.
        is_unverified: It is encrypted, and its certificate is not looked at.
        decoder: What decodes it; empty before it is open.

    Raises:
        ConfigError: If there is no file of authorities, or ``hwaccel`` is none of those words.
    """

    def __init__(
        self, uri: str, *, threads: int, ca_file: str | None = None, verify: bool = True, hwaccel: str = NONE
    ) -> None:
        self.address = redact_url(uri)
        self._uri = uri
        self._threads = threads
        self._hwaccel = check_kind(self.address, hwaccel)
        self.decoder = ""
        scheme = urlsplit(uri).scheme.lower()
        self._options = dict(RTSP if scheme.startswith("rtsp") else HTTP)
        self._port = PORTS.get(scheme)
        self._authorities = authorities(ca_file) if self._port is not None and verify else None
        self.is_unverified = self._port is not None and not verify
        self.advice = "address, user and password, that the camera is on, and that the network reaches it"
        if self._authorities is not None:
            self._options |= {"tls_verify": "1", "ca_file": self._authorities}

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture | None]:
        """Open the stream and yield its pictures as they arrive; None for a damaged one.

        Raises:
            ReadingEndedError: If it cannot be opened, is not who it says it is, holds no pictures, or breaks.
        """
        reason = None
        has_begun = False
        to_rgb = ToRgb()
        try:
            with open_video(
                self._uri, self._hwaccel, options=self._options, timeout=(open_timeout_s, read_timeout_s)
            ) as container:
                stream = container.streams.best("video")
                if stream is None:
                    raise ReadingEndedError("a stream without pictures")
                # Threads by frame would delay the stream by one picture each.
                stream.codec_context.thread_type = "SLICE"
                stream.codec_context.thread_count = self._threads
                self.decoder = decoder_of(stream, self._hwaccel)
                for packet in container.demux(stream):
                    try:
                        decoded = packet.decode()
                    except av.error.InvalidDataError:
                        # Normal before the first key frame. If it persists, the reading's time-out ends it.
                        if has_begun:
                            yield None
                        continue
                    has_begun = has_begun or bool(decoded)
                    for picture in decoded:
                        yield partial(to_rgb.image, picture)
        except (av.error.FFmpegError, OSError) as error:
            # The error itself holds the whole address, so it must not become the cause of the one below.
            reason = error.strerror or type(error).__name__
        except HardwareDecodingError as error:
            reason = f"no pictures with hwaccel={self._hwaccel} ({error}; set auto or none)"
        if reason is not None:
            raise ReadingEndedError(self._why_untrusted(open_timeout_s) or reason)

    def _why_untrusted(self, timeout_s: float) -> str | None:
        """Return what is wrong with the camera's certificate, which FFmpeg does not say; None if nothing is."""
        if self._authorities is None or self._port is None:
            return None
        parts = urlsplit(self._uri)
        why = why_refused(parts.hostname or "", parts.port or self._port, self._authorities, timeout_s)
        if why is not None:
            self.advice = "that the address is the camera's, and name its authority or its own certificate as ca_file"
        return why
