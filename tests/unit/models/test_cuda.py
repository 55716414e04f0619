"""What runs on a GPU gives what runs on the processor, but for rounding. Every test skips where there is no device.

Nothing here has run on a GPU yet.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_embedding, make_tracklet
from plugins import ROOT, plugin_factory
from test_shared_calls import people

from connectors.sources.hardware_decoding import decoder_of, open_video, why_not
from pipeline.core import Identity
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.gpu

DEMO = ROOT / "connectors/synthetic/demo/west.mp4"


def made(group: str, name: str, **options: Any) -> Any:
    """Return a plug-in on the processor and on the GPU; skips without one."""
    try:
        on_gpu = plugin_factory(group, name, device="cuda", **options)()
    except ConfigError as error:
        pytest.skip(str(error))
    return plugin_factory(group, name, **options)(), on_gpu


@pytest.mark.parametrize("reproducible", [True, False])
@pytest.mark.parametrize("number", [1, 3, 16])
def test_a_detector_finds_the_same_people(reproducible: bool, number: int) -> None:
    cpu, gpu = made("detector", "passerby", reproducible=reproducible)
    frames = people(cpu.input_hw, number)
    for one, other in zip(cpu.detect(frames), gpu.detect(frames), strict=True):
        sure = one.scores > 0.5
        assert sure.sum() == (other.scores > 0.5).sum()
        np.testing.assert_allclose(one.boxes_xyxy[sure], other.boxes_xyxy[other.scores > 0.5], atol=0.5)


@pytest.mark.parametrize("reproducible", [True, False])
@pytest.mark.parametrize("name", ["passerby", "lstrl_light"])
def test_an_embedder_makes_the_same_vectors(name: str, reproducible: bool) -> None:
    cpu, gpu = made("embedder", name, reproducible=reproducible)
    tracklets = [make_tracklet(num_crops=number, crop_hw=cpu.crop_size_hw, seed=number) for number in (1, 5, 8)]
    for one, other in zip(cpu.embed(tracklets), gpu.embed(tracklets), strict=True):
        assert float(one.vector @ other.vector) > 0.999


def test_a_pose_has_the_same_keypoints() -> None:
    cpu, gpu = made("pose", "passerby", reproducible=False)
    tracklets = [make_tracklet(num_crops=number, seed=number) for number in (1, 5)]
    for one, other in zip(cpu.estimate(tracklets), gpu.estimate(tracklets), strict=True):
        np.testing.assert_allclose(one.keypoints[..., 2], other.keypoints[..., 2], atol=0.02)


def test_a_gallery_finds_the_same_people() -> None:
    cpu, gpu = made("gallery", "faiss")
    rng = np.random.default_rng(0)
    for number in range(1, 50):
        vector = rng.normal(size=(1, 64)).astype(np.float32)
        for gallery in (cpu, gpu):
            gallery.put(Identity(number, "test@0", vector / np.linalg.norm(vector), 0.0, 1.0, ("east",)))
    asked = make_embedding(vector=(vector / np.linalg.norm(vector))[0], space="test@0")
    assert [m.person_id for m in cpu.nearest(asked, 5)] == [m.person_id for m in gpu.nearest(asked, 5)]


def test_a_video_is_decoded_by_the_device(tmp_path: Path) -> None:
    if (reason := why_not("cuda")) is not None:
        pytest.skip(reason)
    with open_video(str(DEMO), "cuda") as container, open_video(str(DEMO), "none") as plain:
        (stream,), (other,) = container.streams.video, plain.streams.video
        first = next(container.decode(stream)).to_ndarray(format="rgb24").astype(int)
        assert decoder_of(stream, "cuda") == "cuda"
        assert np.abs(first - next(plain.decode(other)).to_ndarray(format="rgb24")).mean() < 2
