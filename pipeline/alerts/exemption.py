"""People about whom no alert is raised, by their names: staff anywhere, and whom a place is not about."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from pipeline.core import Alert, Correction
from pipeline.core.errors import ConfigError
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.records.moves import names_after


class Exemption:
    """Knows who is exempt, by the names of now.

    Args:
        patterns: Names, ``*`` for any letters.
        names: Of people who are known from the start, by number.
        rules: Options of rules by name. A zone or a line of theirs, or a group of zones, is about the people whose
            names its ``people`` has, ``*`` for any letters; about everybody if it has none.

    Raises:
        ConfigError: If a name is none.
    """

    def __init__(self, patterns: Sequence[str], names: Mapping[int, str], rules: Mapping[str, object]) -> None:
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise ConfigError(f"alerting.exempt: expected names, got {pattern!r}; correct it")
        self._patterns = tuple(patterns)
        self._people: dict[tuple[str, str], tuple[str, ...]] = {}
        for subject, people in _people_of(rules):
            self._people[subject] = (*self._people.get(subject, ()), *people)
        self.names = dict(names)

    def covers(self, alert: Alert) -> bool:
        """Return whether no alert is to be raised about this person in this place."""
        if alert.person_id == NOBODY_IN_PARTICULAR:
            return False
        name = self.names.get(alert.person_id)
        people = self._people.get((alert.rule, alert.place))
        return _is_one(name, self._patterns) or (people is not None and not _is_one(name, people))

    def on_correction(self, correction: Correction) -> None:
        """Follow the names."""
        self.names = names_after(self.names, correction)


def _is_one(name: str | None, patterns: Sequence[str]) -> bool:
    return name is not None and any(fnmatchcase(name, pattern) for pattern in patterns)


def _people_of(rules: Mapping[str, object]) -> Iterator[tuple[tuple[str, str], Sequence[str]]]:
    """Yield rule and place, and the names of those whom it is about."""
    for rule, options in rules.items():
        for kind in ("zones", "lines") if isinstance(options, Mapping) else ():
            for name, shape in (options.get(kind) or {}).items():  # type: ignore[attr-defined]
                if "people" in shape:
                    yield (rule, name), shape["people"]
                    yield (rule, shape.get("group") or name), shape["people"]
