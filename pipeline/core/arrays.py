"""Checks of the arrays of a record, made once, when the record is built."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.core.errors import ShapeError


def check_array(name: str, array: object, shape: Sequence[int | None], dtype: DTypeLike) -> None:
    """Raise unless ``array`` is an ndarray of this shape and dtype.

    Args:
        name: Field name, for the message.
        array: The value to check.
        shape: Expected sizes; None accepts any size.
        dtype: Expected dtype, exactly.

    Raises:
        ShapeError: If it is not an ndarray, or shape or dtype differ.

    Example:
        >>> check_array("boxes_xyxy", np.zeros((3, 5), np.float32), (None, 4), np.float32)
        Traceback (most recent call last):
        ...
        pipeline.core.errors.ShapeError: boxes_xyxy: expected float32 (*, 4), got float32 (3, 5)
    """
    fits = (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.ndim == len(shape)
        and all(want is None or want == size for want, size in zip(shape, array.shape, strict=True))
    )
    if fits:
        return
    sizes = ", ".join("*" if size is None else str(size) for size in shape)
    wanted = f"{np.dtype(dtype)} ({sizes}{',' if len(shape) == 1 else ''})"
    got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
    raise ShapeError(f"{name}: expected {wanted}, got {got}")


def freeze(*arrays: NDArray[np.generic]) -> None:
    """Make arrays read-only, as Ray's object store does as well."""
    for array in arrays:
        array.flags.writeable = False
