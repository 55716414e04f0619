"""The pictures of one camera as H.264 access units (ITU-T H.264, byte stream format of Annex B).

Each unit is one picture. It needs the units before it back to the last key frame, and none after it: no B-frames.
"""

import re
from fractions import Fraction

import av
import av.error
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from connectors.pictures.rgb import ToRgb
from pipeline.core.errors import FrameDecodeError

START_CODE = re.compile(b"\x00\x00\x01")
KEY_SLICE = 5
"""``nal_unit_type`` of a slice of an IDR picture, which needs no other picture (Table 7-1)."""

KEY_EVERY = 50
"""Pictures from one key frame to the next. More make the stream smaller, and a reader waits longer to begin."""

RATE_FACTOR = 20
"""CRF of libx264, 0 to 51. Higher values make the stream smaller and the pictures worse."""

MARGIN_PX = 64
"""Border that the decoder adds around a picture, at most. Higher values let it allocate more than announced."""


def is_key_frame(data: bytes) -> bool:
    """Return whether an access unit can be decoded without those before it."""
    return any(data[match.end()] & 0x1F == KEY_SLICE for match in START_CODE.finditer(data[:-1]))


class H264Encoder:
    """Encodes pictures as access units; the first and every ``KEY_EVERY``-th one are key frames."""

    def __init__(self) -> None:
        self._context: av.VideoCodecContext | None = None
        self._size_hw = (0, 0)

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Encode a picture, shape ``(H, W, 3)``, uint8, RGB; a change of size makes a key frame."""
        if self._context is None or self._size_hw != image.shape[:2]:
            self._size_hw = image.shape[0], image.shape[1]
            self._context = _encoder(self._size_hw)
        (packet,) = self._context.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        return bytes(packet)


class H264Decoder:
    """Decodes access units. Used by one thread."""

    def __init__(self) -> None:
        self._context: av.VideoCodecContext | None = None
        self._to_rgb = ToRgb()

    @property
    def has_begun(self) -> bool:
        """Whether there was a key frame, and every unit since was complete."""
        return self._context is not None

    def decode(self, data: bytes, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the picture of the next access unit, shape ``(H, W, 3)``, uint8, RGB.

        Args:
            data: The access unit.
            size_hw: The expected height and width, pixels; the decoder allocates no memory for more.

        Raises:
            FrameDecodeError: If the unit is incomplete, has another size, or needs a unit that was not decoded. After a
                broken unit, all units up to the next key frame are refused.
        """
        if is_key_frame(data):
            self._context = _decoder(size_hw)
        if self._context is None:
            raise FrameDecodeError("image: expected a key frame of h264, got a unit that needs earlier ones")
        context, self._context = self._context, None
        try:
            pictures = context.decode(av.Packet(data))
        except av.error.FFmpegError as error:
            raise FrameDecodeError(
                f"image: expected h264, got data that cannot be decoded: {error.strerror}"
            ) from error
        if len(pictures) != 1 or pictures[0].is_corrupt:
            raise FrameDecodeError(f"image: expected one whole picture of h264, got {len(data)} bytes that are not one")
        if (pictures[0].height, pictures[0].width) != size_hw:
            raise FrameDecodeError(
                f"image: expected h264 of {size_hw[1]}x{size_hw[0]}, got {pictures[0].width}x{pictures[0].height}"
            )
        self._context = context
        return self._to_rgb.image(pictures[0])


def _encoder(size_hw: tuple[int, int]) -> av.VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = size_hw
    # yuv420p stores colours at half the resolution, so it needs even sides.
    context.pix_fmt = "yuv444p" if size_hw[0] % 2 or size_hw[1] % 2 else "yuv420p"
    context.time_base = Fraction(1, 25)
    context.thread_count = 1
    # zerolatency: each picture is returned as soon as it is passed in.
    context.options = {"tune": "zerolatency", "preset": "veryfast", "crf": str(RATE_FACTOR), "g": str(KEY_EVERY)}
    return context


def _decoder(size_hw: tuple[int, int]) -> av.VideoCodecContext:
    context = av.CodecContext.create("h264", "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    context.flags |= Flags.low_delay
    context.options = {"max_pixels": str((size_hw[0] + MARGIN_PX) * (size_hw[1] + MARGIN_PX))}
    return context
