"""A hash chain: the hash of each row covers the hash of the row before, so that no change goes unnoticed."""

from hashlib import sha256

START = bytes(32)
"""Hash before the first row."""


def link(before: bytes, content: str) -> bytes:
    """Return the hash of a row, 32 bytes.

    Args:
        before: Hash of the row before, or ``START``.
        content: Content of the row.

    Example:
        >>> link(START, "a") == link(START, "a"), link(START, "a") == link(START, "b")
        (True, False)
    """
    return sha256(before + content.encode()).digest()
