"""The file of edited rules beside a run: whether it says something new."""

import logging
import time
from pathlib import Path

logger = logging.getLogger(__name__)

EVERY_S = 1.0
"""Seconds between two looks at the file. A longer time delays an edit."""


class EditsFile:
    """A file that somebody else replaces as a whole.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._looked_at = float("-inf")
        self._seen: tuple[int, int] | None = None

    def look_again(self) -> None:
        """Take what is there for new: something that it depends on has changed."""
        self._seen = None

    def new_text(self) -> str | None:
        """Return the text of the file if it was written since the last call; None if not, or not looked at yet."""
        now = time.monotonic()
        if now - self._looked_at < EVERY_S:
            return None
        self._looked_at = now
        try:
            about = self.path.stat()
            if (about.st_mtime_ns, about.st_ino) == self._seen:
                return None
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            logger.warning("%s cannot be read, the rules stay as they are: %s", self.path, error)
            return None
        self._seen = about.st_mtime_ns, about.st_ino
        return text
