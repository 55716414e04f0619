"""Which stream of an open video is decoded."""

from collections.abc import Collection

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream


def picture_stream(container: InputContainer, among: Collection[int] = ()) -> VideoStream | None:
    """Return the stream of the pictures; None if there is none that can be decoded.

    A cover of a sound file is no stream of pictures. What damage made of a codec's name, no decoder knows.

    Args:
        container: The open video.
        among: Numbers of the streams to prefer; none: the one that FFmpeg thinks best.
    """
    best = container.streams.best("video")
    streams = [stream for stream in container.streams.video if _can_be_decoded(stream)]
    streams.sort(key=lambda stream: (bool(among) and stream.id not in among, stream is not best))
    return streams[0] if streams else None


def _can_be_decoded(stream: VideoStream) -> bool:
    # PyAV's types do not say that a stream may have no decoder.
    has_decoder = getattr(stream, "codec_context", None) is not None
    return has_decoder and not stream.disposition & Disposition.attached_pic
