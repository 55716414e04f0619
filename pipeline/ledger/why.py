"""Why a part of a track was matched to a person: the ledger's record of one sighting, in words."""

from collections.abc import Iterator

from pipeline.core import Outcome, TrackPart
from pipeline.core.errors import DataError
from pipeline.ledger.corrections.commands import RECLUSTERING
from pipeline.ledger.events import Event
from pipeline.ledger.reader import LedgerReader

DECIDED = {
    Outcome.MATCHED: "was recognised as person {}",
    Outcome.NEW: "became person {}, a new number",
    Outcome.TENTATIVE: "became person {} for now, perhaps the runner-up",
}
"""What was decided, in words."""
EVIDENCE = {
    "looks": "appearance",
    "way": "place and time",
    "needed": "needed to link",
    "quality": "quality of the crops",
}
"""Names of the evidence, in words; the first three are log-likelihood ratios."""


def why(reader: LedgerReader, part: TrackPart) -> list[str]:
    """Return lines about one sighting: the decision and its evidence, the runner-up, and later corrections.

    Raises:
        DataError: If there is no such sighting.
    """
    event = reader.sighting(part)
    if event is None:
        raise DataError(f"{part}: expected a sighting of the ledger, got none; sightings.jsonl lists them")
    body = event.body
    lines = [
        f"{part} at {event.at:.1f} {DECIDED[Outcome(str(body['outcome']))].format(event.person_id)}; "
        f"{_percent(body['probability'])} sure"
    ]
    distance, runner_up, gates = body["distance"], body["runner_up"], body["gates"]
    if distance is not None:
        lines.append(f"  appearance: cosine distance {distance:.3f} to this person")
    evidence = body.get("evidence")
    if isinstance(evidence, dict):
        about = "" if distance is not None else " (of the runner-up)"
        lines += [f"  {EVIDENCE.get(name, name)}: {value:+.2f}{about}" for name, value in evidence.items()]
    if isinstance(runner_up, list):
        lines.append(f"  runner-up: person {runner_up[0]}, at {runner_up[1]:.3f}")
    else:
        lines.append("  runner-up: none")
    assert isinstance(gates, list)
    lines += [f"  {gate}" for gate in gates] or ["  no one was ruled out"]
    return [*lines, *_later(reader, part, event), f"now: {_now(reader, part)}"]


def _later(reader: LedgerReader, part: TrackPart, event: Event) -> Iterator[str]:
    people = {event.person_id}
    for _, correction in reader.corrections(after=event.number):
        is_about = part in correction.parts or (not correction.parts and people.intersection(correction.person_ids))
        if is_about:
            people.update(correction.person_ids)
            reason = f" ({correction.reason})" if correction.reason else ""
            ids = ", ".join(map(str, correction.person_ids))
            by = "re-clustering" if correction.by == RECLUSTERING else correction.by
            yield f"then {correction.kind}: {ids}, by {by}{reason}"


def _now(reader: LedgerReader, part: TrackPart) -> str:
    person_id = reader.person_of(part)
    return f"person {person_id}" if person_id > 0 else "nobody"


def _percent(value: object) -> str:
    assert isinstance(value, int | float)
    return f"{value:.0%}"
