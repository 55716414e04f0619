"""Opens a video so that a device decodes it, if it is asked for and there.

Only ``auto`` falls back to the processor, and says so. Pictures are copied from the device to memory.
"""

import logging
from collections.abc import Sequence
from typing import Any

import av
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer

from pipeline.core.errors import ConfigError

AUTO, NONE = "auto", "none"
CPU = "cpu"
"""What decodes where no device does."""
DEVICES = ("cuda", "vaapi", "qsv")
"""In the order in which ``auto`` tries them: NVIDIA's NVDEC, Linux's VA-API, Intel's Quick Sync."""

logger = logging.getLogger(__name__)


class HardwareDecodingError(Exception):
    """The device that was asked for cannot decode the video; the message says why."""


class NoDeviceError(HardwareDecodingError):
    """The device that was asked for is not there, whatever the video; the message says why."""


def check_kind(key: str, hwaccel: str) -> str:
    """Return the value of the key ``hwaccel``.

    Raises:
        ConfigError: If it is none of those that are known.
    """
    if hwaccel not in (AUTO, *DEVICES, NONE):
        raise ConfigError(f"{key}.hwaccel: expected {', '.join((AUTO, *DEVICES))} or {NONE}, got {hwaccel!r}")
    return hwaccel


def open_video(address: Any, hwaccel: str, **options: Any) -> InputContainer:
    """Return an open container whose video streams the device decodes.

    Args:
        address: As ``av.open`` takes it, or a file that is open.
        hwaccel: auto, none, or one of ``DEVICES``.
        **options: Of ``av.open``.

    Raises:
        NoDeviceError: If the device that ``hwaccel`` names is not there.
        HardwareDecodingError: If it cannot decode this video.
        FFmpegError: As ``av.open``.
    """
    if hwaccel == NONE:
        return _open(address, **options)
    reasons = {kind: why_not(kind) for kind in (DEVICES if hwaccel == AUTO else (hwaccel,))}
    kind = next((kind for kind, reason in reasons.items() if reason is None), None)
    if kind is None:
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        if hwaccel != AUTO:
            raise NoDeviceError(told)
        logger.info("hwaccel=auto: the processor decodes, because of %s", told)
        return _open(address, **options)
    device = HWAccel(device_type=kind, allow_software_fallback=hwaccel == AUTO)
    try:
        return _open(address, hwaccel=device, **options)
    except RuntimeError as error:  # PyAV's, where the device cannot decode any of the streams
        raise HardwareDecodingError(f"{kind}: {error}") from error


def why_not(kind: str) -> str | None:
    """Return why a device cannot decode H.264 here, which all of them can where they work; None if it can."""
    if kind not in hwdevices_available():
        return f"PyAV {av.__version__} has no {kind}, but {', '.join(_known(hwdevices_available()))}"
    try:
        HWAccel(device_type=kind, allow_software_fallback=False).create(av.Codec("h264", "r"))
    except (av.error.FFmpegError, OSError, RuntimeError, NotImplementedError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"FFmpeg finds no device of that kind here ({said})"
    return None


def decoder_of(stream: Any, hwaccel: str) -> str:
    """Return what decodes an open video stream: the device's name, or cpu."""
    if hwaccel == NONE or not stream.codec_context.is_hwaccel:
        return CPU
    return hwaccel if hwaccel != AUTO else next(kind for kind in DEVICES if why_not(kind) is None)


def _known(available: Sequence[str]) -> list[str]:
    return [name for name in available if name in DEVICES] or ["none"]


def _open(address: Any, **options: Any) -> InputContainer:
    # Titles are written in any encoding, and are not read.
    container: InputContainer = av.open(address, metadata_errors="replace", **options)
    return container
