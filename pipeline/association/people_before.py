"""What people were before a correction command: owners and links of their track segments. No vectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.association.person import Person
from pipeline.association.track_segment import ENROLLED_WEIGHT
from pipeline.core import TrackPart


@dataclass(frozen=True, slots=True)
class SegmentBefore:
    """A track segment before a command.

    Attributes:
        person_id: Its person.
        parts: Its parts.
        must_links: Its must-links.
        cannot_links: Its cannot-links.
        is_enrolled: Whether it had the weight of an enrolled person.
    """

    person_id: int
    parts: list[TrackPart]
    must_links: frozenset[int]
    cannot_links: frozenset[int]
    is_enrolled: bool


@dataclass(frozen=True, slots=True)
class PeopleBefore:
    """People before a command about them.

    Attributes:
        segments: Their track segments.
        person_ids: Their numbers.
        enrolled: Those who are never forgotten.
        pending: Their pending matches.
    """

    segments: list[SegmentBefore]
    person_ids: list[int]
    enrolled: list[int]
    pending: dict[int, int]


def people_before(
    people: Iterable[Person], person_ids: Sequence[int], enrolled: set[int], pending: dict[int, int]
) -> PeopleBefore:
    """Return what a command about these people may change."""
    return PeopleBefore(
        [
            SegmentBefore(
                person.person_id,
                list(segment.parts),
                segment.must_links,
                segment.cannot_links,
                segment.num_frames >= ENROLLED_WEIGHT,
            )
            for person in people
            for segment in person.segments
        ],
        list(person_ids),
        sorted(enrolled.intersection(person_ids)),
        {one: other for one, other in pending.items() if one in person_ids},
    )
