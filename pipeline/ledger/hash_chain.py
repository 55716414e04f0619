"""A chain of hashes: each row's holds the one before, so that nothing can be changed unnoticed."""

from hashlib import sha256

START = bytes(32)
"""What the first row is linked to."""


def link(before: bytes, content: str) -> bytes:
    """Return the hash of a row, 32 bytes.

    Args:
        before: That of the row before, or ``START``.
        content: Of the row.

    Example:
        >>> link(START, "a") == link(START, "a"), link(START, "a") == link(START, "b")
        (True, False)
    """
    return sha256(before + content.encode()).digest()
