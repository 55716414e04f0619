"""The name of an embedding space."""

import hashlib
from pathlib import Path


def name_space(name: str, weights: Path) -> str:
    """Return ``name@`` and six hex digits of the sha256 of the weights: other weights, other space."""
    with weights.open("rb") as file:
        return f"{name}@{hashlib.file_digest(file, 'sha256').hexdigest()[:6]}"
