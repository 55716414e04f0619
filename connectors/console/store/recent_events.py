"""What the page knows by heart of the ledger's newest events: tracks, unsure sightings, numbers that were merged."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core import Correction, CorrectionKind, Outcome, TrackId, TrackPart
from pipeline.ledger import Event

MAX_TRACKS = 20_000
MAX_UNSURE = 2_000
SURE = 0.95
"""A sighting that is less sure than this is worth an operator's look."""


@dataclass(frozen=True, slots=True)
class Span:
    """When one part of a track was.

    Attributes:
        part: Which.
        first_at: Unix seconds, event time.
        last_at: Unix seconds, event time.
        box_xyxy: The last box, pixels of the frame.
    """

    part: TrackPart
    first_at: float
    last_at: float
    box_xyxy: tuple[float, ...]


@dataclass(slots=True)
class RecentEvents:
    """Bounded in memory: of what is older, the ledger knows."""

    last_event: int = 0
    num_alerts: int = 0
    _tracks: OrderedDict[str, list[Span]] = field(default_factory=OrderedDict)
    _unsure: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_UNSURE))
    _kept_for: dict[int, int] = field(default_factory=dict)

    def take(self, events: Iterable[Event]) -> list[Correction]:
        """Take the next events; return the corrections among them."""
        corrections = []
        for event in events:
            self.last_event = event.number
            if event.is_erased:
                continue
            if event.kind == "sighting":
                self._see(event)
            elif event.kind == "alert":
                self.num_alerts += 1
            else:
                corrections.append(event.correction())
                self._correct(corrections[-1])
        return corrections

    def kept_for(self, person_id: int) -> int:
        """Return the number that somebody has now who was once called so."""
        for _ in range(len(self._kept_for)):
            if person_id not in self._kept_for:
                break
            person_id = self._kept_for[person_id]
        return person_id

    def newest_parts(self, tracks: Sequence[str]) -> Mapping[str, TrackPart]:
        """Return the newest part of those tracks that are known."""
        return {track: self._tracks[track][-1].part for track in tracks if track in self._tracks}

    def knows(self, part: TrackPart) -> bool:
        """Return whether a part of a track is among the newest that were seen."""
        return any(span.part == part for span in self._tracks.get(str(part.track_id), ()))

    def unsure(self) -> list[Event]:
        """Return sightings that the line was not sure of, newest first."""
        return list(reversed(self._unsure))

    def spans(self) -> Iterator[Span]:
        """Yield the parts of the newest tracks."""
        for spans in self._tracks.values():
            yield from spans

    def forget(self, parts: Iterable[TrackPart]) -> None:
        """Forget parts of tracks."""
        gone = set(parts)
        for track in {str(part.track_id) for part in gone} & self._tracks.keys():
            left = [span for span in self._tracks[track] if span.part not in gone]
            if left:
                self._tracks[track] = left
            else:
                del self._tracks[track]
        self._unsure = deque((event for event in self._unsure if event.part not in gone), maxlen=MAX_UNSURE)

    def _see(self, event: Event) -> None:
        assert event.part is not None
        track = str(event.part.track_id)
        spans = self._tracks.setdefault(track, [])
        spans[:] = [span for span in spans if span.part != event.part]
        box_xyxy = event.body["box_xyxy"]
        assert isinstance(box_xyxy, list)
        spans.append(Span(event.part, first_at(event), event.at, tuple(box_xyxy)))
        while len(self._tracks) > MAX_TRACKS:
            self._tracks.popitem(last=False)
        is_unsure = event.body["outcome"] == Outcome.TENTATIVE or (
            event.body["outcome"] == Outcome.MATCHED and probability(event) < SURE
        )
        if is_unsure and event.body["runner_up"] is not None:
            self._unsure.append(event)

    def _correct(self, correction: Correction) -> None:
        if correction.kind is CorrectionKind.MERGED:
            kept, *absorbed = correction.person_ids
            self._kept_for.update(dict.fromkeys(absorbed, kept))
            self._kept_for.pop(kept, None)
        elif correction.kind is CorrectionKind.SPLIT:
            self._kept_for.pop(correction.person_ids[-1], None)


def first_at(event: Event) -> float:
    """Return when a sighting began, Unix seconds."""
    first = event.body["first"]
    assert isinstance(first, list)
    return float(first[1])


def probability(event: Event) -> float:
    """Return how sure a sighting's number is, in [0, 1]."""
    value = event.body["probability"]
    assert isinstance(value, float | int)
    return float(value)


def runner_up(event: Event) -> int | None:
    """Return the best other candidate of a sighting; None if there was none."""
    value = event.body["runner_up"]
    if value is None:
        return None
    assert isinstance(value, list)
    return int(value[0])


def part_of(track: str, part: int) -> TrackPart:
    """Return the part of a track. Raises ``ValueError`` if it has no such form."""
    return TrackPart(TrackId.parse(track), part)
