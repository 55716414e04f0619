"""Published networks of single images become the baseline of clips."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from models.reid.checkpoint import load_network
from models.reid.networks.backbones import ResNet50
from models.reid.networks.baseline import Baseline
from models.reid.networks.clip_network import Clips
from models.training.video.checkpoint_conversion import convert, main
from pipeline.core.errors import ConfigError, WeightsError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trunk() -> ResNet50:
    torch.manual_seed(0)
    return ResNet50(last_stride=2).eval()


def checkpoint_of(kind: str, trunk: ResNet50) -> dict[str, object]:
    weights = dict(trunk.state_dict())
    if kind == "torchreid":
        named = {f"module.{name}": tensor for name, tensor in weights.items()}
        return {"state_dict": named | {"module.classifier.weight": torch.ones(751, 2048)}, "epoch": 60, "rank1": 0.9}
    named = {f"backbone.{name}": tensor for name, tensor in weights.items()}
    norm = {"weight": 2.0, "bias": 0.0, "running_mean": 0.25, "running_var": 4.0}
    named |= {f"heads.bottleneck.0.{name}": torch.full((2048,), value) for name, value in norm.items()}
    named |= {"heads.weight": torch.ones(751, 2048), "pixel_mean": torch.ones(1, 3, 1, 1)}
    return {"model": named, "iteration": 3}


@pytest.mark.parametrize("kind", ["torchreid", "fastreid"])
def test_the_baseline_says_of_a_crop_what_the_network_said(kind: str, trunk: ResNet50, tmp_path: Path) -> None:
    torch.save(checkpoint_of(kind, trunk), tmp_path / "their.pth")
    convert(tmp_path / "their.pth", tmp_path / "converted" / "baseline.safetensors")
    network = Baseline(num_ids=0, clip_len=1, crop_size_hw=(64, 32), last_stride=2).eval()
    load_network(tmp_path / "converted" / "baseline.safetensors", network)
    pixels = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        expected = trunk(pixels).mean((2, 3))
        if kind == "fastreid":
            expected = (expected - 0.25) / 2 * 2
        found = network(Clips(pixels[:, None])).vector
    assert functional.cosine_similarity(found, expected)[0] > 0.99999


def test_another_network_is_refused_and_nothing_is_left(trunk: ResNet50, tmp_path: Path) -> None:
    checkpoint = checkpoint_of("fastreid", trunk)
    checkpoint["model"]["heads.pool_layer.p"] = torch.ones(1)
    torch.save(checkpoint, tmp_path / "sbs.pth")
    with pytest.raises(WeightsError, match=r"1 foreign \['trunk\.heads\.pool_layer\.p'\]"):
        main([f"from={tmp_path / 'sbs.pth'}", f"out={tmp_path / 'x.safetensors'}"])
    assert [path.name for path in tmp_path.iterdir()] == ["sbs.pth"]


def test_the_checkpoint_and_the_output_have_to_be_named() -> None:
    with pytest.raises(ConfigError, match="expected from=… out=…"):
        main(["from=x"])
