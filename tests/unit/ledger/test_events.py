"""Rows of the ledger hold what cannot be computed again."""

from dataclasses import fields, replace

import numpy as np
import pytest
from factories import make_embedding

from pipeline.core import Match, Outcome, Sighting
from pipeline.ledger.events import from_row, to_row

DECIDED = {
    "outcome": Outcome.TENTATIVE,
    "distance": 0.123456789,
    "probability": 0.75,
    "gates": ("not 2: elsewhere at that time",),
    "runner_up": Match(4, 0.5),
    "evidence": (("looks", -0.25), ("way", 1.5), ("needed", 2.0), ("quality", 0.875)),
}


@pytest.mark.parametrize(
    "change", [{}, {"runner_up": None, "evidence": (), "gates": ()}, {"distance": None, "outcome": Outcome.NEW}]
)
def test_a_row_and_its_embedding_give_the_sighting_again(change: dict[str, object]) -> None:
    embedding = make_embedding()
    sighting = Sighting.of(embedding, 3, **DECIDED | change)
    again = from_row((1, *to_row(sighting))).sighting(embedding)
    for field in fields(Sighting):
        np.testing.assert_equal(getattr(again, field.name), getattr(sighting, field.name), field.name)


def test_a_row_from_before_a_field_with_a_default_is_read() -> None:
    embedding = make_embedding()
    row = to_row(Sighting.of(embedding, 3, **DECIDED))
    event = from_row((1, *row))
    before = replace(event, text=event.text.replace('"evidence"', '"unknown"'))
    assert before.sighting(embedding).evidence == ()
