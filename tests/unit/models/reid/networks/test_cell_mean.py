"""What maps have by their place alone is taken off."""

import pytest
import torch
from video_networks import make_clips, make_network

from models.reid.networks.cell_mean import CellMean
from models.reid.networks.ctl import Ctl
from models.reid.networks.rapa import Rapa
from pipeline.core.errors import ShapeError


def maps_with_a_place(num_pictures: int = 64) -> torch.Tensor:
    """Maps that say little of the picture and much of the place."""
    generator = torch.Generator().manual_seed(0)
    place = 10 * torch.randn(1, 6, 8, 4, generator=generator)
    return place + torch.randn(num_pictures, 6, 8, 4, generator=generator)


def share_of_place(maps: torch.Tensor) -> float:
    deviations = maps - maps.mean((0, 2, 3), keepdim=True)
    return float(deviations.mean(0).square().mean() / deviations.square().mean())


def test_the_place_of_a_cell_says_nothing_any_more_and_the_mean_of_a_picture_is_as_before() -> None:
    maps, layer = maps_with_a_place(), CellMean(6, (8, 4)).train()
    found = layer(maps)
    assert share_of_place(maps) > 0.95
    assert share_of_place(found) < 0.001
    torch.testing.assert_close(found.mean((2, 3)), maps.mean((2, 3)))
    for _ in range(100):
        layer(maps)
    torch.testing.assert_close(layer.eval()(maps), found, atol=1e-3, rtol=1e-3)


def test_before_anything_was_learnt_maps_stay_as_they_are() -> None:
    maps = maps_with_a_place()
    torch.testing.assert_close(CellMean(6, (8, 4)).eval()(maps), maps)


def test_maps_of_another_size_than_the_weights_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"cell_mean: expected maps of \(8, 4\), got \(4, 2\)"):
        CellMean(6, (8, 4))(torch.zeros(1, 6, 4, 2))


@pytest.mark.parametrize("kind", [Ctl, Rapa])
def test_networks_begin_as_without_it_and_learn_the_mean_of_their_maps(kind: type) -> None:
    clips = make_clips(needs=kind.needs)
    plain, cleaned = make_network(kind), make_network(kind, cell_mean=True)
    torch.testing.assert_close(cleaned(clips).vector, plain(clips).vector)
    cleaned.train()(clips)
    assert cleaned.of_cells.mean_CHW.abs().sum() > 0
