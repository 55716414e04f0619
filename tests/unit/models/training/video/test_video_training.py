"""Networks of clips are trained: they learn, resume, and the exported networks run in the pipeline."""

import csv
import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import make_tracklet
from safetensors import safe_open
from safetensors.torch import save_file
from video_datasets import write_mars
from worlds import make_world

from models.reid.clip_average import ClipOptions
from models.reid.networks.backbones import ResNet50
from models.reid.video import VideoEmbedder
from models.reid.video_onnx import VideoOnnxEmbedder
from models.summary import read_embedder
from models.training.engine import Budget, Engine
from models.training.train import build, choose_schedule, main, read_config
from models.training.video.export import export, write_onnx
from models.training.video.losses import batch_hard, euclidean_distances
from models.training.video.scoring import NetworkInput
from models.training.video.task import VideoTask
from models.training.worlds import World
from pipeline.core.errors import ConfigError, WeightsError

pytestmark = pytest.mark.slow

PAPERS = ["baseline", "lstrl", "stca", "asanet", "ctl", "rapa"]
NARROW = {"network.width_mult": 0.125, "clip_len": 4, "crop_size_hw": "[64,32]"}
FEW = {"num_people": 4, "num_each": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for number in range(2):
        make_world(folder, number, frames_per_camera=10)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make_task(data: Path, model: str, pretrained: dict[str, str] | None = None, **recipe: Any) -> VideoTask:
    worlds = [World(data / "worlds" / "0000.npz")]
    return VideoTask(
        worlds,
        [],
        seed=0,
        device=torch.device("cpu"),
        max_bytes=10**8,
        model=model,
        changes=NARROW,
        recipe_changes=FEW | recipe,
        pretrained=pretrained,
    )


@pytest.mark.parametrize(("name", "wrapped"), [("trunk.pth", True), ("trunk.pth", False), ("trunk.safetensors", False)])
def test_a_trunk_begins_with_published_weights(data: Path, tmp_path: Path, name: str, wrapped: bool) -> None:
    weights = {
        key: torch.full_like(value, 2) for key, value in ResNet50(last_stride=2, width_mult=0.125).state_dict().items()
    }
    path = tmp_path / name
    if name.endswith(".pth"):
        torch.save({"state_dict": weights, "epoch": 3} if wrapped else weights, path)
    else:
        save_file(weights, path)
    network = make_task(data, "lstrl", pretrained={"trunk": str(path)}).make_network().network
    assert all((tensor == 2).all() for tensor in network.trunk.state_dict().values())


def test_trunks_and_weights_that_do_not_fit_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pretrained: expected trunks of Lstrl, got 'neck'"):
        make_task(data, "lstrl", pretrained={"neck": "x"}).make_network()
    with pytest.raises(WeightsError, match="nowhere"):
        make_task(data, "lstrl", pretrained={"trunk": str(tmp_path / "nowhere.pth")}).make_network()
    (tmp_path / "cut.pth").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"cut\.pth: expected a checkpoint of tensors"):
        make_task(data, "lstrl", pretrained={"trunk": str(tmp_path / "cut.pth")}).make_network()
    torch.save({"note": "no tensors"}, tmp_path / "note.pth")
    with pytest.raises(WeightsError, match="expected tensors by name"):
        make_task(data, "lstrl", pretrained={"trunk": str(tmp_path / "note.pth")}).make_network()


def batch_of(task: VideoTask, step: int) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in task.draw(step).items()}


@pytest.mark.parametrize("model", PAPERS)
def test_every_network_learns_to_find_people_again(data: Path, model: str) -> None:
    task = make_task(data, model, flip=False, crop="none", erasing=False)
    torch.manual_seed(0)
    network = task.make_network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    batch = batch_of(task, 999)

    def learned() -> tuple[float, bool]:
        """Rank 1 among all tracklets, and whether each branch names everybody in a batch it did not train on."""
        rank1 = task.score_on(network.eval(), task.source, task.source)["rank1"]
        logits = network(task.settings.clips(batch["pixels"], batch["keypoints"])).logits
        return rank1, all(bool((branch.argmax(1) == batch["identities"]).all()) for branch in logits)

    # How many steps that takes differs between processors: they add in another order.
    for step in range(800):
        network.train()
        parts = task.loss(network, batch_of(task, step))
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        losses.append(float(parts["loss"].detach()))
        if step % 25 == 24 and losses[-1] < 0.5 * losses[0] and learned() == (1, True):
            break
    assert losses[-1] < 0.5 * losses[0]
    # Whom a network knows by colour alone is found untrained; names have to be learnt.
    assert learned() == (1, True)


@pytest.mark.parametrize("model", PAPERS)
def test_every_network_has_the_losses_of_its_paper(data: Path, model: str) -> None:
    task = make_task(data, model, **({"pose_invariance": 0.005} if model == "asanet" else {}))
    network = task.make_network().train()
    parts = task.loss(network, batch_of(task, 0))
    own = {"rapa": {"frames"}, "ctl": {"diversity"}, "stca": {"center"}, "asanet": {"center", "pose", "attributes"}}
    assert set(parts) == {"loss", "name", "triplet"} | own.get(model, set())
    torch.testing.assert_close(parts["loss"], sum(value for name, value in parts.items() if name != "loss"))
    parts["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_attributes_cost_something_where_they_are_known_and_pose_counts_more_once_they_are_learnt(data: Path) -> None:
    task = make_task(data, "asanet", pose_invariance=0.005)
    network, batch = task.make_network().train(), batch_of(task, 0)
    output = network(task.settings.clips(batch["pixels"], batch["keypoints"]))
    targets = {"id_relevant": torch.zeros(8, 41), "id_irrelevant": torch.zeros(8, 11)}
    targets["id_relevant"][:, 3] = 1
    objective = network.objective
    assert objective(output, batch["identities"], targets)["attributes"] > 0
    assert not objective.has_learnt_attributes
    early = objective(output, batch["identities"], targets)["pose"]
    for name, target in targets.items():
        output.extras[f"attributes_{name}"] = (target * 2 - 1) * 20
    objective(output, batch["identities"], targets)
    assert objective.has_learnt_attributes
    torch.testing.assert_close(objective(output, batch["identities"], targets)["pose"], 2 * early)


def test_triplets_of_several_branches_are_summed(data: Path) -> None:
    task = make_task(data, "ctl")
    network, batch = task.make_network().train(), batch_of(task, 0)
    output = network(task.settings.clips(batch["pixels"], batch["keypoints"]))
    expected = sum(
        batch_hard(euclidean_distances(feature), batch["identities"], margin=0.3) for feature in output.features
    )
    torch.testing.assert_close(network.objective(output, batch["identities"])["triplet"], expected)


def test_a_step_always_draws_the_same_batch_and_epochs_differ(data: Path) -> None:
    task = make_task(data, "lstrl")
    one, again, next_epoch = (task.draw(step) for step in (0, 0, task.batches_per_epoch))
    for name, value in one.items():
        np.testing.assert_array_equal(value, again[name])
    assert one["pixels"].shape == (8, 4, 64, 32, 3)
    assert not np.array_equal(one["pixels"], next_epoch["pixels"])


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    given = ["task=video", f"data={data}", f"out={out}", "threads=1", "loaders=0", "held_out=0.5", "device=cpu"]
    given += ["precision=float32", "options.model=lstrl_light", "options.recipe_changes={num_people: 4, num_each: 2}"]
    changes = "{network.width_mult: 0.125, clip_len: 4, crop_size_hw: '[64,32]'}"
    return [*given, f"options.changes={changes}", *more]


def losses(out: Path) -> list[float]:
    with (out / "curve.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    torch.set_num_threads(1)
    main(arguments(data, out, "steps=3"))
    return out


def test_a_run_is_scored_on_worlds_held_out(run: Path) -> None:
    scores = json.loads((run / "score.json").read_text())["scores"]
    assert set(scores) == {"mean_ap", "rank1"}


def test_a_resumed_run_equals_an_uninterrupted_one(data: Path, tmp_path: Path, run: Path) -> None:
    config = read_config(arguments(data, tmp_path, "steps=3"))
    for steps in (1, 3):
        task, network, pace = build(config)
        engine = Engine(task, network, pace=replace(pace, save_every_s=0.0), folder=tmp_path, schedule=lambda _: 1e-3)
        engine.run(Budget(minutes=None, steps=steps))
    task, network, pace = build(config)
    whole = Engine(task, network, pace=pace, folder=tmp_path / "whole", schedule=lambda _: 1e-3)
    whole.run(Budget(minutes=None, steps=3))
    assert losses(tmp_path)[-1] == losses(tmp_path / "whole")[-1]


@pytest.mark.parametrize("model", PAPERS)
def test_every_network_goes_through_the_engine(data: Path, tmp_path: Path, model: str) -> None:
    main([*arguments(data, tmp_path, "steps=1"), f"options.model={model}"])
    assert len(losses(tmp_path)) == 1


def test_a_data_set_on_disk_is_learnt_from_and_scored_by_its_protocol(tmp_path: Path) -> None:
    root = write_mars(tmp_path / "mars")
    table = tmp_path / "attributes.csv"
    classes = [3, 5, *[0] * 7, 8, 9, 3, *[1] * 9]
    keys = [(person, camera) for person in (1, 3, 5, 7) for camera in (1, 2) for _ in range(2)]
    rows = [[*key, number, *classes] for number, key in enumerate(keys)]
    table.write_text("\n".join([",".join(["value"] * 24), *(",".join(map(str, row)) for row in rows)]))
    given = arguments(root, tmp_path / "out", "steps=1", "dataset=mars", "options.model=asanet_light")
    main([*given, f"options.dataset={{protocol: mixing, attributes: {table}}}"])
    assert set(json.loads((tmp_path / "out" / "score.json").read_text())["scores"]) == {"mean_ap", "rank1"}
    with (tmp_path / "out" / "curve.csv").open() as file:
        assert float(next(csv.DictReader(file))["attributes"]) > 0


def test_model_and_data_set_are_keys_of_their_own(tmp_path: Path) -> None:
    config = read_config(["model=lstrl", "dataset=mars", "data=/a/mars", f"out={tmp_path}", "options.dataset.split=1"])
    assert config.task == "video"
    assert config.options == {"model": "lstrl", "dataset": {"name": "mars", "root": "/a/mars", "split": 1}}
    with pytest.raises(ConfigError, match="model: expected a network of clips and no other task, got reid"):
        read_config(["task=reid", "model=lstrl", "data=/a", f"out={tmp_path}"])


def test_the_rate_is_the_recipes_where_it_is_asked_for(data: Path, tmp_path: Path) -> None:
    config = read_config(arguments(data, tmp_path, "steps=3", "schedule=recipe"))
    task, _, _ = build(config)
    schedule = choose_schedule(config, task)
    assert schedule is not None
    assert schedule(0) == pytest.approx(3e-4)
    with pytest.raises(ConfigError, match="schedule"):
        choose_schedule(read_config(arguments(data, tmp_path, "steps=3", "schedule=step")), task)


def test_what_is_exported_runs_in_the_line(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "trained.safetensors"
    export(run, out)
    with safe_open(out, "pt") as file:
        assert json.loads(file.metadata()["told"])["config"]["task"] == "video"
        assert not [name for name in file.keys() if "classifier" in name]  # noqa: SIM118
    changes = {key: str(value) for key, value in NARROW.items()}
    embedder = read_embedder("lstrl_light", changes)
    served = type(embedder())(**embedder.keywords | {"weights": str(out)})
    tracklet = make_tracklet(num_crops=4, crop_hw=(64, 32))
    (embedding,) = served.embed([tracklet])
    assert embedding.space.startswith("lstrl_light@")
    assert not np.array_equal(embedding.vector, embedder().embed([tracklet])[0].vector)


@pytest.mark.parametrize("model", PAPERS)
def test_every_network_computes_the_same_as_onnx(tmp_path: Path, model: str) -> None:
    settings = NetworkInput.of(read_embedder(model, {key: str(value) for key, value in NARROW.items()}))
    torch.manual_seed(0)
    network = settings.make(0).eval()
    path = tmp_path / "exported.onnx"
    assert write_onnx(network, path, clip_len=settings.clip_len, crop_hw=settings.crop_hw) >= 0.999


def test_a_run_exported_as_onnx_gives_the_vectors_of_its_weights(run: Path, tmp_path: Path) -> None:
    embedder = read_embedder("lstrl_light", {key: str(value) for key, value in NARROW.items()})
    tracklet = make_tracklet(num_crops=6, crop_hw=(64, 32))
    vectors = []
    for name, kind in (("a.safetensors", VideoEmbedder), ("a.onnx", VideoOnnxEmbedder)):
        export(run, tmp_path / name)
        given = embedder.keywords | {"weights": str(tmp_path / name)}
        names = {*inspect.signature(kind).parameters, *ClipOptions.__annotations__}
        served = kind(**{key: value for key, value in given.items() if key in names})
        vectors.append(served.embed([tracklet])[0].vector)
    assert float(vectors[0] @ vectors[1]) > 0.9999


def test_weights_of_half_the_bits_are_half_as_long_and_give_nearly_the_same_vectors(run: Path, tmp_path: Path) -> None:
    embedder = read_embedder("lstrl_light", {key: str(value) for key, value in NARROW.items()})
    vectors, sizes = [], []
    for half in (False, True):
        path = tmp_path / f"{half}.safetensors"
        export(run, path, half=half)
        served = type(embedder())(**embedder.keywords | {"weights": str(path)})
        vectors.append(served.embed([make_tracklet(num_crops=4, crop_hw=(64, 32))])[0].vector)
        sizes.append(path.stat().st_size)
    assert float(vectors[0] @ vectors[1]) > 0.999
    assert sizes[1] < 0.7 * sizes[0]


def test_the_best_network_of_a_run_without_scores_on_its_way_is_missed(run: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"best\.safetensors"):
        export(run, tmp_path / "x.safetensors", best=True)


def test_a_run_that_is_none_or_damaged_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run: expected the folder of a finished training"):
        export(tmp_path, tmp_path / "x.safetensors")
    (tmp_path / "score.json").write_bytes((run / "score.json").read_bytes())
    (tmp_path / "checkpoint.safetensors").write_bytes((run / "checkpoint.safetensors").read_bytes()[:500])
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors: expected a checkpoint"):
        export(tmp_path, tmp_path / "x.safetensors")
    record = json.loads((run / "score.json").read_text())
    record["config"]["options"]["changes"]["network.width_mult"] = 0.25
    (tmp_path / "score.json").write_text(json.dumps(record))
    (tmp_path / "checkpoint.safetensors").write_bytes((run / "checkpoint.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="of another shape"):
        export(tmp_path, tmp_path / "x.safetensors")
    assert not list(tmp_path.glob("x.*"))
