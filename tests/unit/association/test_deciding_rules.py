"""A decision of the matcher for each rule, which would be another one without the rule."""

import numpy as np
import pytest
from factories import make_embedding, make_path
from numpy.typing import NDArray
from people import appearance, make_match, see

from pipeline.core import Correction, Embedding, Sighting, TrackId


def numbers(records: list[Sighting | Correction]) -> list[int]:
    return [record.person_id for record in records if isinstance(record, Sighting)]


@pytest.mark.parametrize(("quality", "person_id"), [(0.8, 1), (0.02, 2)])
def test_an_appearance_that_is_enough_in_good_pictures_is_not_enough_in_poor_ones(
    quality: float, person_id: int
) -> None:
    stage = make_match()
    stage.process([see("east", stop=2.0, quality=quality)])
    assert numbers(stage.process([see("west", start=10.0, stop=11.0, distance=0.3, quality=quality)])) == [person_id]


def test_of_two_people_who_cross_each_is_found_where_their_velocity_leads() -> None:
    def walking(number: int, start: float, left: float, per_frame: float, vector: NDArray[np.float32]) -> Embedding:
        path = make_path(round(start * 10), 11, (left, 30, left + 20, 90), velocity=(per_frame, 0.0))
        return make_embedding(TrackId("east", 0, number), 0, path, vector, is_last=True)

    between = ((appearance(0) + appearance(1)) / np.sqrt(np.float32(2))).astype(np.float32)
    stage = make_match()
    stage.process([walking(1, 0.0, 0, 4, appearance(0)), walking(2, 0.0, 100, -4, appearance(1))])
    # Each track begins nearer to where the other person was seen last.
    assert numbers(stage.process([walking(3, 1.6, 64, 4, between), walking(4, 1.6, 36, -4, between)])) == [1, 2]
