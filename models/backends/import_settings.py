"""Settings that a library reads once, while it is imported."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def import_settings(place: MutableMapping[str, Any], **values: Any) -> Iterator[None]:
    """Set values in a place for as long as the context lasts; what is set already stays.

    Args:
        place: For instance ``os.environ``.
        **values: By name.
    """
    added = values.keys() - place.keys()
    place.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            place.pop(name, None)
