"""Counts in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.core import TrackPart
from pipeline.counts.facts import Fact, FactKind
from pipeline.counts.stays import stays_of
from pipeline.counts.visitors import visitors_of
from pipeline.ledger import NOBODY

LOST_S = 5.0
"""Seconds besides the longest part of a track in which a stay counts as lasting: a part is known when it is complete.
A larger value counts people for longer after they left."""

HOUR_S = 3600.0


def exposition(
    facts: Sequence[Fact], person_of: Callable[[TrackPart], int], newness: Mapping[int, float], part_s: float
) -> str:
    """Return the metrics of facts, of the moment of the newest one. No label names a person.

    Args:
        facts: See ``rows_of``.
        person_of: See ``rows_of``.
        newness: See ``rows_of``.
        part_s: Seconds that a part of a track may last.
    """
    return "\n".join(_lines(facts, person_of, newness, part_s + LOST_S)) + "\n"


def _lines(
    facts: Sequence[Fact], person_of: Callable[[TrackPart], int], newness: Mapping[int, float], recent_s: float
) -> Iterator[str]:
    now = max((fact.until for fact in facts), default=0.0)
    yield "# HELP passerby_line_crossings_total People who crossed a line, by direction on the screen."
    yield "# TYPE passerby_line_crossings_total counter"
    crossings = Counter(
        (fact.place, "left_to_right" if fact.direction > 0 else "right_to_left")
        for fact in facts
        if fact.kind is FactKind.LINE and person_of(fact.part) != NOBODY
    )
    for (line, direction), total in sorted(crossings.items()):
        yield f'passerby_line_crossings_total{{line="{_escaped(line)}",direction="{direction}"}} {total}'
    for kind in (FactKind.ZONE, FactKind.CAMERA):
        stays = stays_of(facts, kind, person_of)
        places = sorted({stay.place for stay in stays})
        yield f"# HELP passerby_{kind}_people People seen in a {kind} in the last {recent_s:g} s."
        yield f"# TYPE passerby_{kind}_people gauge"
        for place in places:
            lasting = sum(stay.place == place and stay.until >= now - recent_s for stay in stays)
            yield f'passerby_{kind}_people{{{kind}="{_escaped(place)}"}} {lasting}'
        yield f"# HELP passerby_{kind}_visits_total Times that somebody came into a {kind}."
        yield f"# TYPE passerby_{kind}_visits_total counter"
        for place in places:
            visits = sum(stay.came for stay in stays if stay.place == place)
            yield f'passerby_{kind}_visits_total{{{kind}="{_escaped(place)}"}} {visits}'
        yield f"# HELP passerby_{kind}_dwell_seconds Seconds that people were in a {kind}."
        yield f"# TYPE passerby_{kind}_dwell_seconds summary"
        for place in places:
            dwells = [stay.dwell_s for stay in stays if stay.place == place]
            label = f'{kind}="{_escaped(place)}"'
            yield f"passerby_{kind}_dwell_seconds_sum{{{label}}} {sum(dwells):.3f}"
            yield f"passerby_{kind}_dwell_seconds_count{{{label}}} {len(dwells)}"
    visitors = visitors_of([fact for fact in facts if fact.until >= now - HOUR_S], person_of, newness)
    yield "# HELP passerby_visitors_last_hour Different people in the last hour, and the 95 % interval of match errors."
    yield "# TYPE passerby_visitors_last_hour gauge"
    for bound, value in (("people", visitors.people), ("low", visitors.low), ("high", visitors.high)):
        yield f'passerby_visitors_last_hour{{bound="{bound}"}} {value}'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
