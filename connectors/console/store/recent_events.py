"""The ledger's newest events in memory: tracks and uncertain sightings."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core import Correction, Outcome, TrackPart
from pipeline.core.records.moves import moves_of
from pipeline.ledger import Event

MAX_TRACKS = 20_000
"""Tracks held in memory; older tracks are absent from search by time and by picture."""

MAX_AT_START = 200_000
"""Newest events that are read at the start; a larger number makes the page answer later over a long ledger."""

MAX_UNCERTAIN = 2_000
"""Uncertain sightings held in memory; the oldest are not asked about any more."""

CERTAIN = 0.95
"""Probability from which a match is not asked about. A larger value puts more matches into the review queue."""


@dataclass(frozen=True, slots=True)
class Span:
    """When and where one part of a track was.

    Attributes:
        part: The part of a track.
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
    """Folds events into bounded memory; older ones remain in the ledger.

    Attributes:
        last_event: Number of the newest event; 0 before the first.
        last_erasure: Number of the newest event that erased a person; 0 before the first.
        undone: Undos, with the numbers of their events.
    """

    last_event: int = 0
    last_erasure: int = 0
    undone: list[tuple[int, Correction]] = field(default_factory=list)
    _tracks: OrderedDict[str, list[Span]] = field(default_factory=OrderedDict)
    _uncertain: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_UNCERTAIN))

    def take(self, events: Iterable[Event]) -> None:
        """Take the next events."""
        for event in events:
            self.last_event = event.number
            if event.is_erased:
                continue
            if event.kind == "sighting":
                self._see(event)
            elif event.kind == "correction":
                correction = event.correction()
                if any(move.target is None for move in moves_of(correction)):
                    self.last_erasure = event.number
                if correction.undoes:
                    self.undone.append((event.number, correction))

    def newest_parts(self, tracks: Sequence[str]) -> Mapping[str, TrackPart]:
        """Return the newest part of those tracks that are known."""
        return {track: self._tracks[track][-1].part for track in tracks if track in self._tracks}

    def uncertain(self) -> list[Event]:
        """Return sightings that the pipeline was uncertain about, newest first."""
        return list(reversed(self._uncertain))

    def newest(self) -> Iterator[Sequence[Span]]:
        """Yield the parts of each of the newest tracks, the newest track first."""
        return iter(reversed(self._tracks.values()))

    def forget(self, parts: Iterable[TrackPart]) -> None:
        """Drop parts of tracks."""
        gone = set(parts)
        for track in {str(part.track_id) for part in gone} & self._tracks.keys():
            left = [span for span in self._tracks[track] if span.part not in gone]
            if left:
                self._tracks[track] = left
            else:
                del self._tracks[track]
        self._uncertain = deque((event for event in self._uncertain if event.part not in gone), maxlen=MAX_UNCERTAIN)

    def _see(self, event: Event) -> None:
        assert event.part is not None
        track = str(event.part.track_id)
        spans = self._tracks.setdefault(track, [])
        spans[:] = [span for span in spans if span.part != event.part]
        body = event.body
        box_xyxy, first = body["box_xyxy"], body["first"]
        assert isinstance(box_xyxy, list)
        assert isinstance(first, list)
        spans.append(Span(event.part, float(first[1]), event.at, tuple(box_xyxy)))
        while len(self._tracks) > MAX_TRACKS:
            self._tracks.popitem(last=False)
        is_uncertain = body["outcome"] == Outcome.TENTATIVE or (
            body["outcome"] == Outcome.MATCHED and probability(event) < CERTAIN
        )
        if is_uncertain and body["runner_up"] is not None:
            self._uncertain.append(event)


def probability(event: Event) -> float:
    """Return the probability that a sighting has the right person, in [0, 1]."""
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
