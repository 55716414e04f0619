"""How fast networks of clips are: what is measured, never how much it is."""

from pathlib import Path

import pytest
import torch

from models.summary import read_embedder
from models.training.video.scoring import NetworkInput
from models.training.video.speed import main, measure, variants_of
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

NARROW = {"network.width_mult": "0.125", "clip_len": "2", "crop_size_hw": "[64,32]"}


@pytest.mark.parametrize("model", ["lstrl", "rapa"])
def test_all_ways_compute_the_same_vectors(model: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    settings = NetworkInput.of(read_embedder(model, NARROW))
    torch.manual_seed(0)
    network = settings.make(0).eval()
    variants = variants_of(network, settings, device="cpu", batch=3, folder=tmp_path)
    assert set(variants) == {"eager", "channels last", "bfloat16", "onnxruntime"}
    with torch.inference_mode():
        found = {name: torch.as_tensor(variant.run()[0]).float() for name, variant in variants.items()}
    assert variants["eager"].num_tracklets == 3
    for name, vectors in found.items():
        assert torch.cosine_similarity(vectors.reshape(-1, network.vector_dim)[:1], found["eager"][None]) > 0.98, name
    assert all(seconds > 0 for seconds in measure(variants, device="cpu", runs=1).values())


def test_a_mistake_on_the_command_line_is_named() -> None:
    with pytest.raises(ConfigError, match="expected models=…"):
        main(["models=lstrl_light", "device=tpu"])
    with pytest.raises(ConfigError, match="runs"):
        main(["models=lstrl_light", "runs=0"])
