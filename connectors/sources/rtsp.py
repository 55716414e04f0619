"""Opens a network camera by RTSP, over TCP, for ``live.py``.

Needs: av.
Secrets: user and password in the URL. They reach no log and no error.
"""

from collections.abc import Iterator
from functools import partial

import av
import av.error

from connectors.pictures.rgb import ToRgb
from connectors.redaction import redact_url
from connectors.sources.hardware_decoding import NONE, HardwareDecodingError, check_kind, decoder_of, open_video
from connectors.sources.live import Picture
from connectors.sources.live_reading import ReadingEndedError

OPTIONS = {"rtsp_transport": "tcp", "fpsprobesize": "0", "analyzeduration": "1000000"}
"""Options of FFmpeg.

Without measuring the frame rate, the first picture arrives after 0.3 s instead of 1.1 s (25 frames/s). The common
``fflags=nobuffer`` discards what was read before, key frame included: the first picture arrives after 2.1 s, and later
ones no sooner.
"""


class RtspOpener:
    """Opens an RTSP stream. ``rtsps`` is encrypted, but the camera's certificate is not verified.

    Args:
        uri: ``rtsp://user:password@host:554/path``.
        threads: Threads of the decoder; at least 1.
        hwaccel: What decodes: ``none`` for the processor, ``cuda``, ``vaapi``, ``qsv``; ``auto`` for what is there.

    Attributes:
        address: The URL without user and password.
        advice: What to check when the camera sends nothing.
        decoder: What decodes it; empty before it is open.
    """

    advice = "address, user and password, that the camera is on, and that the network reaches it"

    def __init__(self, uri: str, *, threads: int, hwaccel: str = NONE) -> None:
        self.address = redact_url(uri)
        self._uri = uri
        self._threads = threads
        self._hwaccel = check_kind(self.address, hwaccel)
        self.decoder = ""

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture | None]:
        """Open the stream and yield its pictures as they arrive; None for a damaged one.

        Raises:
            ReadingEndedError: If it cannot be opened, holds no pictures, or breaks.
        """
        reason = None
        has_begun = False
        to_rgb = ToRgb()
        try:
            with open_video(
                self._uri, self._hwaccel, options=OPTIONS, timeout=(open_timeout_s, read_timeout_s)
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
            raise ReadingEndedError(reason)
