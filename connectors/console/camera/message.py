"""What a camera sends, and what a viewer gets: a JSON object and a JPEG in one binary message."""

import json
import struct
from typing import Any

from pipeline.core.errors import WireFormatError

MAX_MESSAGE = 4_000_000
MAX_HEADER = 200_000
_LENGTH = struct.Struct(">I")


def pack(header: dict[str, Any], jpeg: bytes) -> bytes:
    """Return one message.

    Example:
        >>> unpack(pack({"camera": "east"}, b"jpeg"))
        ({'camera': 'east'}, b'jpeg')
    """
    head = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return _LENGTH.pack(len(head)) + head + jpeg


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Return what was packed.

    Raises:
        WireFormatError: If it is no such message.
    """
    if len(message) < _LENGTH.size:
        raise WireFormatError(f"picture: expected at least {_LENGTH.size} bytes, got {len(message)}")
    (length,) = _LENGTH.unpack_from(message)
    end = _LENGTH.size + length
    if length > MAX_HEADER or end > len(message):
        raise WireFormatError(f"picture: expected a header of at most {MAX_HEADER} bytes, got {length}")
    try:
        header = json.loads(message[_LENGTH.size : end])
    except (ValueError, RecursionError) as error:
        raise WireFormatError("picture: expected a JSON header, got something else") from error
    if not isinstance(header, dict):
        raise WireFormatError(f"picture: expected a JSON object as header, got {type(header).__name__}")
    return header, message[end:]
