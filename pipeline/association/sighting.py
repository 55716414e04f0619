"""A sighting from an embedding and the decision about it."""

from collections.abc import Iterable

from pipeline.core import Embedding, Evidence, Match, Outcome, Sighting


def sighting_of(
    embedding: Embedding,
    person_id: int,
    outcome: Outcome,
    *,
    distance: float | None,
    probability: float,
    gates: Iterable[str],
    runner_up: Match | None = None,
    evidence: Evidence = (),
) -> Sighting:
    """Return the sighting of a person by an embedding; see ``Sighting`` for the arguments."""
    return Sighting(
        person_id=person_id,
        track_id=embedding.track_id,
        part=embedding.part,
        first=embedding.first,
        last=embedding.last,
        box_xyxy=embedding.box_xyxy,
        outcome=outcome,
        distance=distance,
        probability=probability,
        runner_up=runner_up,
        gates=tuple(gates),
        path=embedding.path,
        is_last=embedding.is_last,
        evidence=evidence,
    )
