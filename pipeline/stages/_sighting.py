"""What is said of an embedding."""

from collections.abc import Iterable

from pipeline.core import Embedding, Match, Outcome, Sighting


def sighting_of(
    embedding: Embedding,
    person_id: int,
    outcome: Outcome,
    *,
    distance: float | None,
    probability: float,
    gates: Iterable[str],
    runner_up: Match | None = None,
) -> Sighting:
    """Return the sighting that an embedding makes of a person; see ``Sighting``."""
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
    )
