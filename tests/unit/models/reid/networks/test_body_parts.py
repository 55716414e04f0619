"""Head, body and leg as cells of a map."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.reid.networks.body_parts import part_masks, thirds

GRID = (8, 4)


def person(**scores: float) -> torch.Tensor:
    """A frontal person in the middle of a crop; ``head``, ``shoulders`` … set how well they are seen."""
    heights = [0.12] * 5 + [0.25] * 2 + [0.35] * 2 + [0.45] * 2 + [0.5] * 2 + [0.7] * 2 + [0.9] * 2
    sides = [0.5, 0.48, 0.52, 0.45, 0.55] + [0.4, 0.6] * 6
    seen = [scores.get("head", 0.9)] * 5 + [scores.get("shoulders", 0.9)] * 2 + [scores.get("arms", 0.9)] * 4
    seen += [scores.get(name, 0.9) for name in ("hips", "hips", "knees", "knees", "ankles", "ankles")]
    return torch.tensor(list(zip(sides, heights, seen, strict=True)))[None]


def rows_of(masks: torch.Tensor) -> list[list[int]]:
    return [part.any(-1).nonzero()[:, 0].tolist() for part in masks[0]]


def columns_of(masks: torch.Tensor) -> list[list[int]]:
    return [part.any(-2).nonzero()[:, 0].tolist() for part in masks[0]]


def test_parts_reach_from_line_to_line() -> None:
    masks, is_third = part_masks(person(), GRID, min_score=0.2)
    # Head 0.06 to 0.25, body to 0.5, leg to 0.94, in eighths.
    assert rows_of(masks) == [[0, 1], [2, 3], [4, 5, 6, 7]]
    # The head 0.37 to 0.63, the others 0.32 to 0.68, in quarters.
    assert columns_of(masks) == [[1, 2], [1, 2], [1, 2]]
    assert not is_third.any()


def test_ankles_that_are_not_seen_lie_below_the_knees() -> None:
    masks, _ = part_masks(person(ankles=0.1, knees=0.9), (50, 4), min_score=0.2)
    assert rows_of(masks)[2][-1] == 45  # 0.7 + 0.22, in fiftieths
    masks, _ = part_masks(person(ankles=0.1, knees=0.1), (50, 4), min_score=0.2)
    assert rows_of(masks)[2][-1] == 49


@pytest.mark.parametrize(
    ("unseen", "expected"),
    [
        ("head", [True, False, False]),
        ("shoulders", [True, True, False]),
        ("hips", [False, True, True]),
        ("arms", [False, False, False]),
    ],
)
def test_a_part_without_its_lines_is_a_third_of_the_map(unseen: str, expected: list[bool]) -> None:
    masks, is_third = part_masks(person(**{unseen: 0.0}), GRID, min_score=0.2)
    assert is_third.tolist() == [expected]
    for part in torch.tensor(expected).nonzero()[:, 0]:
        assert torch.equal(masks[0, part], thirds(GRID, like=masks)[part])


def test_a_part_flatter_than_half_a_row_is_a_third_of_the_map() -> None:
    keypoints = person()
    keypoints[:, 11:13, 1] = 0.25 + 0.06
    assert part_masks(keypoints, GRID, min_score=0.2)[1].tolist() == [[False, True, False]]


def test_thirds_of_eight_rows_have_three_two_and_three() -> None:
    masks = thirds(GRID, like=torch.ones(1))
    assert rows_of(masks[None]) == [[0, 1, 2], [3, 4], [5, 6, 7]]
    assert columns_of(masks[None]) == [[0, 1, 2, 3]] * 3


@given(st.integers(0, 10_000), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.floats(-0.5, 1.5))
def test_no_part_is_ever_empty(seed: int, grid_hw: tuple[int, int], shift: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(4, 17, 3, generator=generator)
    keypoints[..., :2] += shift
    masks, _ = part_masks(keypoints, grid_hw, min_score=0.5)
    assert masks.shape == (4, 3, *grid_hw)
    assert masks.any(-1).any(-1).all()
