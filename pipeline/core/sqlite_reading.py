"""How a SQLite file is opened to be read."""

import os
from pathlib import Path


def reading_uri(path: Path) -> str:
    """Return the URI by which a file is opened for reading, also on a medium that cannot be written.

    A reader of a file with a log (WAL) writes an index beside it. Where that is impossible and no log is there, nobody
    else can be writing either, so the file is read as it is.
    """
    log = path.with_name(f"{path.name}-wal")
    can_write = os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    is_fixed = not can_write and not (log.is_file() and log.stat().st_size)
    return f"{path.absolute().as_uri()}?{'immutable=1' if is_fixed else 'mode=ro'}"
