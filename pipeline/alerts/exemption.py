"""People about whom no alert is raised: staff, for instance, by their names."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from pipeline.core import Correction
from pipeline.core.records.moves import names_after


class Exemption:
    """Knows who is exempt, by the names of now.

    Args:
        patterns: Names, ``*`` for any letters.
        names: Of people who are known from the start, by number.
    """

    def __init__(self, patterns: Sequence[str], names: Mapping[int, str]) -> None:
        self._patterns = tuple(patterns)
        self.names = dict(names)

    def covers(self, person_id: int) -> bool:
        """Return whether a person is exempt."""
        name = self.names.get(person_id)
        return name is not None and any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def on_correction(self, correction: Correction) -> None:
        """Follow the names."""
        self.names = names_after(self.names, correction)
