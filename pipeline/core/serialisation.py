"""Records and state to bytes and back, exactly: MessagePack of dataclasses and arrays. Never a pickle."""

from typing import Any, TypeVar, get_origin

import msgspec
import numpy as np

from pipeline.core.errors import WireFormatError

Value = TypeVar("Value")


def serialise(value: object) -> bytes:
    """Return a value as bytes.

    Args:
        value: Dataclasses, numbers, texts, enums, arrays, and lists, tuples, sets and dictionaries of them.

    Example:
        >>> deserialise(serialise([(1, "a")]), list[tuple[int, str]])
        [(1, 'a')]
    """
    return msgspec.msgpack.encode(value, enc_hook=_encoded)


def deserialise(data: bytes, kind: type[Value]) -> Value:
    """Return the value that was serialised.

    Args:
        data: Bytes that ``serialise`` returned.
        kind: Type of the value, with type arguments.

    Raises:
        WireFormatError: If the bytes hold something else.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind, dec_hook=_decoded)
    except msgspec.MsgspecError as error:
        raise WireFormatError(f"serialised bytes: expected {kind}, got something else: {error}") from error


def _encoded(value: Any) -> object:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"value: expected something that can be serialised, got {type(value).__name__}")


def _decoded(kind: type, value: Any) -> object:
    if get_origin(kind) is np.ndarray:
        dtype, shape, data = value
        # A copy: aligned and writable, as the original was.
        return np.frombuffer(data, dtype).reshape(shape).copy()
    raise TypeError(f"{kind}: expected a type that can be deserialised")
