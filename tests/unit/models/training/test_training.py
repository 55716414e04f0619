"""Whole runs on tiny worlds: they learn, resume, and the exported networks run in the pipeline."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from factories import make_tracklet
from safetensors.torch import load_file
from worlds import FRAME_HW, make_world

from models.detection.onnx import OnnxDetector
from models.pose.heatmap_onnx import HeatmapOnnxEstimator
from models.reid.image_onnx import ImageOnnxEmbedder
from models.training.engine import Budget, Engine
from models.training.export import enter_catalogue, export
from models.training.train import build, main, read_config
from models.training.worlds import World
from pipeline.camera.detection import letterbox
from pipeline.core import Frame, FrameStamp, TrackId
from pipeline.core.errors import ConfigError, WeightsError
from pipeline.evaluation.detection import find_hits

pytestmark = pytest.mark.slow

OPTIONS = {
    "detector": ["options.input_hw=[96,128]", "options.batch_size=8"],
    "keypoints": ["options.input_hw=[64,32]", "options.batch_size=8"],
    "reid": ["options.crop_hw=[64,32]", "options.widths=[32,48,64]", "options.num_people=6", "options.crops_each=3"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for number in range(4):
        make_world(folder, number, frames_per_camera=8)
    return folder


def _arguments(task: str, data: Path, out: Path, steps: int, *more: str) -> list[str]:
    given = [f"task={task}", f"data={data}", f"out={out}", f"steps={steps}", "threads=1", "loaders=0", "held_out=0.25"]
    return [*given, "device=cpu", *OPTIONS[task], *more]


class Interrupted:
    """A task that is stopped at a step, as by Ctrl-C."""

    def __init__(self, task: Any, step: int) -> None:
        self.learning_rate, self.max_norm = task.learning_rate, task.max_norm
        self.loss, self.score, self.optimisers = task.loss, task.score, task.optimisers
        self._task, self._step = task, step

    def draw(self, step: int) -> Any:
        if step == self._step:
            raise KeyboardInterrupt
        return self._task.draw(step)


def _engine(task: str, data: Path, out: Path, *, stop_at: int | None = None) -> Engine:
    made, network, pace = build(read_config(_arguments(task, data, out, 1, "precision=float32")))
    wanted = made if stop_at is None else Interrupted(made, stop_at)
    return Engine(wanted, network, pace=replace(pace, save_every_s=0.0), folder=out)


def _losses(out: Path) -> list[float]:
    with (out / "curve.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("task", OPTIONS)
def test_a_resumed_run_equals_an_uninterrupted_one(task: str, data: Path, tmp_path: Path) -> None:
    budget = Budget(minutes=None, steps=6)
    _engine(task, data, tmp_path / "whole").run(budget)
    with pytest.raises(KeyboardInterrupt):
        _engine(task, data, tmp_path / "parts", stop_at=3).run(budget)
    resumed = _engine(task, data, tmp_path / "parts")
    assert resumed.position.step == 3
    resumed.run(budget)
    whole, parts = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("task", OPTIONS)
def test_the_loss_falls(task: str, data: Path, tmp_path: Path) -> None:
    main(_arguments(task, data, tmp_path / "out", 120))
    losses = _losses(tmp_path / "out")
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.timeout(600)
def test_the_detector_finds_the_people_it_learned(data: Path, tmp_path: Path) -> None:
    main(_arguments("detector", data, tmp_path / "out", 400))
    path = export(tmp_path / "out", "tiny", folder=tmp_path / "weights", catalogue=None, note="")
    detector = OnnxDetector(
        weights=str(path),
        weights_dir=None,
        sha256=None,
        input_hw=(96, 128),
        min_score=0.3,
        nms_iou=0.45,
        device="cpu",
        threads=1,
    )
    world = World(data / "worlds" / "0000.npz")
    boxes = world.read("box_frame", "full_xyxy")
    hits = people = 0
    for number, jpeg in enumerate(world.encoded("frame")):
        frame = Frame(FrameStamp("east", number, 0.0), np.ascontiguousarray(world.decode(jpeg)[..., ::-1]))
        (found,) = detector.detect([letterbox(frame, (96, 128))])
        truth = boxes["full_xyxy"][boxes["box_frame"] == number]
        hits += int(find_hits(found.boxes_xyxy, truth).sum())
        people += len(truth)
    assert hits >= 0.8 * people


@pytest.fixture(scope="module", params=OPTIONS)
def exported(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp(request.param)
    main(_arguments(request.param, data, folder / "run", 3))
    return request.param, export(folder / "run", "tiny", folder=folder, catalogue=None, note="Seen by eye.")


def test_what_is_exported_runs_in_the_line(exported: tuple[str, Path]) -> None:
    task, path = exported
    common: dict[str, Any] = {
        "weights": str(path),
        "weights_dir": None,
        "sha256": None,
        "device": "cpu",
        "threads": 1,
    }
    scaling: dict[str, Any] = {"colour_order": "bgr", "mean": [0, 0, 0], "std": [1, 1, 1]}
    tracklet = make_tracklet(TrackId("east", 0, 1), num_crops=3, crop_hw=(64, 32))
    if task == "detector":
        detector = OnnxDetector(**common, input_hw=(96, 128), min_score=0.3, nms_iou=0.45)
        frame = Frame(FrameStamp("east", 0, 0.0), np.zeros((*FRAME_HW, 3), np.uint8))
        assert len(detector.detect([letterbox(frame, (96, 128))])) == 1
    elif task == "keypoints":
        pose = HeatmapOnnxEstimator(**common, **scaling, input_hw=(64, 32), margin=1.05, heatmap_hw=(32, 16))
        (posed,) = pose.estimate([tracklet])
        assert posed.keypoints is not None
        assert posed.keypoints.shape == (3, 17, 3)
    else:
        embedder = ImageOnnxEmbedder(
            **common, **scaling, name="tiny", clip_len=3, crop_size_hw=(64, 32), quality_exponent=1.0, flip=False
        )
        assert embedder.embed([tracklet])[0].vector.shape == (256,)


def test_the_card_says_what_it_was_made_of(exported: tuple[str, Path]) -> None:
    task, path = exported
    card = path.with_suffix(".md").read_text()
    for part in (f"task={task}", "seed 0", "3 steps", "commit", "Apache-2.0", "Seen by eye.", "million parameters"):
        assert part in card


def test_the_catalogue_has_one_entry_a_file_and_the_newest(tmp_path: Path) -> None:
    catalogue, onnx = tmp_path / "weights.yaml", tmp_path / "ours.onnx"
    catalogue.write_text("# Somebody's.\nother.onnx:\n  url: null\n  sha256: 00\n")
    for content in (b"first", b"second one"):
        onnx.write_bytes(content)
        enter_catalogue(catalogue, onnx, "Finds people.")
    known = yaml.safe_load(catalogue.read_text())
    assert set(known) == {"other.onnx", "ours.onnx"}
    assert known["ours.onnx"]["size"] == len(b"second one")
    assert known["ours.onnx"]["url"] is None
    assert catalogue.read_text().count("# Ours") == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("task=tracker", "task: expected one of detector, keypoints, reid"),
        ("minuets=3", "minuets"),
        ("steps=many", "steps"),
        ("options.colour=red", "options: .*colour"),
        ("device=tpu", "device"),
        ("precision=float8", "precision"),
        ("data=/nowhere", "expected more worlds in /nowhere/worlds"),
        ("steps=0", "minutes, steps"),
        ("score_every_epochs=1", "score_every_epochs: expected 0, as detector has no epochs"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(data: Path, tmp_path: Path, change: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        main(_arguments("detector", data, tmp_path / "out", 1, change))


def test_what_must_be_said_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="data: expected a value"):
        read_config(["task=detector", "out=/x"])


def test_a_checkpoint_of_another_network_is_refused(data: Path, tmp_path: Path) -> None:
    _engine("detector", data, tmp_path).save()
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors: expected a checkpoint of this network"):
        _engine("keypoints", data, tmp_path)


def test_a_network_begins_with_the_convolutions_of_another_run_and_with_a_head_of_its_own(
    data: Path, tmp_path: Path
) -> None:
    first = _engine("reid", data, tmp_path)
    first.save()
    given = f"options.begin_with={tmp_path / 'checkpoint.safetensors'}"
    _, network, _ = build(read_config(_arguments("reid", data, tmp_path / "next", 1, "seed=1", given)))
    older, newer = first.mean.state_dict(), network.state_dict()
    taken = {name for name, value in newer.items() if value.numel() > 1 and torch.equal(value, older[name])}
    assert "network.blocks.0.entry.0.weight" in taken
    assert not {"network.embed.weight", "classifier.weight"} & taken


def test_what_a_network_cannot_begin_with_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="absent"):
        build(read_config(_arguments("reid", data, tmp_path, 1, f"options.begin_with={tmp_path / 'absent'}")))


def test_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors"):
        _engine("detector", data, tmp_path)


def test_a_run_that_is_not_finished_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run: expected the folder of a finished training"):
        export(tmp_path, "tiny", folder=tmp_path, catalogue=None, note="")
