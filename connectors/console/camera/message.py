"""Wire format of pictures, from camera to page and from page to viewer: a JSON header and a JPEG in one message.

A message is the header's length (four bytes, big endian), the header (UTF-8 JSON object), and the JPEG.
"""

import json
import struct
from typing import Any

from pipeline.core.errors import WireFormatError

MAX_MESSAGE = 4_000_000
"""Bytes of a message; a larger one closes the connection. It bounds the memory of the server."""

MAX_HEADER = 200_000
"""Bytes of a header: enough for more than a thousand people in one picture."""
_LENGTH = struct.Struct(">I")


def pack(header: dict[str, Any], jpeg: bytes) -> bytes:
    """Return a message of a header and a JPEG.

    Example:
        >>> unpack(pack({"camera": "east"}, b"jpeg"))
        ({'camera': 'east'}, b'jpeg')
    """
    head = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return _LENGTH.pack(len(head)) + head + jpeg


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the JPEG of a message.

    Raises:
        WireFormatError: If the message is malformed.
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
