"""Files of a world: videos with ground truth, and training sets that can be resumed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import jsonschema
import numpy as np
import pytest
import yaml
from omegaconf import OmegaConf

from connectors.synthetic.benchmarks import BENCHMARKS, render_benchmark
from connectors.synthetic.dataset import DatasetSpec, render_dataset, shard
from connectors.synthetic.people.attributes import NAMES
from connectors.synthetic.recording import render, site_yaml
from connectors.synthetic.speed import frames_per_second
from connectors.synthetic.world import Scenario, World
from pipeline.config.schema import SiteConfig
from pipeline.core.errors import ConfigError
from pipeline.evaluation.truth import read_mot_truth

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[4]
SCENARIO = Scenario(people=6, seed=2, fps=5.0)
SPEC = DatasetSpec(worlds=2, seed=3, people=4, seconds=1.0)

FULL_DISK = """
import resource, sys
from pathlib import Path
from connectors.synthetic.dataset import DatasetSpec, render_dataset
from connectors.synthetic.world import World
from pipeline.core.errors import ConnectorError

SPEC = DatasetSpec(worlds=1, seed=3, people=4, seconds=1.0)

if __name__ == "__main__":
    next(World(SPEC.scenario(0)).moments(1))  # compiled kernels are written to disk too
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        render_dataset(SPEC, Path(sys.argv[1]), workers=1)
    except ConnectorError as error:
        print(error)
"""

FULL_DISK_OF_VIDEOS = """
import resource, sys
from pathlib import Path
from connectors.synthetic.recording import render, site_yaml
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ConnectorError

if __name__ == "__main__":
    scenario = Scenario(people=4, seed=3, fps=5.0)
    next(World(scenario, ["east"]).moments(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        render(World(scenario, ["east"]), Path(sys.argv[1]), seconds=2.0, crf=10)
    except ConnectorError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    render(World(SCENARIO, ["east", "west"]), folder, seconds=1.0, crf=30)
    return folder


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    render_dataset(SPEC, folder, workers=1)
    return folder


def test_every_camera_has_a_video_of_the_requested_length(recorded: Path) -> None:
    for name in ("east", "west"):
        with av.open(str(recorded / f"{name}.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == 5
            assert container.streams.video[0].average_rate == 5


def test_every_frame_has_a_line_of_truth_that_follows_its_schema(recorded: Path) -> None:
    schema = json.loads((ROOT / "connectors/schemas/truth.schema.json").read_text())
    lines = [json.loads(line) for line in (recorded / "truth/east.jsonl").read_text().splitlines()]
    assert [line["frame_index"] for line in lines] == list(range(5))
    assert any(line["people"] for line in lines)
    for line in lines:
        jsonschema.validate(line, schema)


def test_the_mot_file_has_every_person_and_marks_those_who_count(recorded: Path) -> None:
    table = read_mot_truth(recorded / "mot/east.txt")
    lines = [json.loads(line) for line in (recorded / "truth/east.jsonl").read_text().splitlines()]
    people = [person for line in lines for person in line["people"]]
    assert table.ids.tolist() == [person["person_id"] for person in people]
    for person, counts in zip(people, table.counts.tolist(), strict=True):
        if (
            person["visibility"] > 0.95
            and person["truncation"] == 0
            and person["full_xyxy"][3] - person["full_xyxy"][1] > 45
        ):
            assert counts
        if person["visibility"] < 0.45:
            assert not counts


def test_people_are_written_with_their_attributes(recorded: Path) -> None:
    people = json.loads((recorded / "people.json").read_text())["people"]
    assert [person["person_id"] for person in people] == list(range(1, 7))
    assert set(NAMES) <= set(people[0]["attributes"][0])


def test_the_site_file_has_cameras_and_every_pair_of_them(recorded: Path) -> None:
    site = yaml.safe_load((recorded / "site.yaml").read_text())
    assert set(site["cameras"]) == {"east", "west"}
    assert Path(site["cameras"]["east"]["uri"]).is_file()
    pairs = [set(pair) for pair in site["overlaps"] or []] + [set(w["between"]) for w in site.get("transit_times", [])]
    assert {"east", "west"} in pairs


def test_the_site_of_a_place_whose_cameras_all_overlap_is_one_that_a_run_takes() -> None:
    site = yaml.safe_load(site_yaml(World(Scenario(place="shop", people=1)), "/a"))
    assert "transit_times" not in site
    assert isinstance(site["overlaps"], list)
    assert "passerby" in str(site.pop("defaults"))  # its networks
    OmegaConf.merge(OmegaConf.structured(SiteConfig), site)


def test_no_unfinished_file_is_left(recorded: Path, rendered: Path) -> None:
    assert not [*recorded.rglob(".*.part"), *rendered.rglob(".*.part")]


def test_the_arrays_of_a_training_set_are_consistent(rendered: Path) -> None:
    with np.load(rendered / "worlds/0001.npz", allow_pickle=False) as world:
        boxes, crops = len(world["box_person"]), len(world["crop_box"])
        assert boxes >= crops > 0
        assert world["frame_offset"][-1] == len(world["frame_jpeg"])
        assert world["crop_offset"][-1] == len(world["crop_jpeg"])
        assert world["keypoints"].shape == (boxes, 17, 3)
        assert world["box_frame"].max() < len(world["frame_camera"])
        assert (world["box_person"] // 1000 == 1).all()
        assert world["attributes"].shape == (len(world["person_id"]), len(NAMES))
        assert ((world["visibility"] >= 0) & (world["visibility"] <= 1)).all()


def test_a_mask_covers_the_person_of_its_crop_and_nothing_around() -> None:
    made = shard(SPEC.scenario(0), seconds=1.0, number=0)
    assert len(made["mask_offset"]) == len(made["crop_offset"])
    for row, box in enumerate(made["crop_box"]):
        start, stop = made["mask_offset"][row : row + 2]
        mask = cv2.imdecode(made["mask_png"][start:stop], cv2.IMREAD_GRAYSCALE) > 0
        left, top, right, bottom = made["crop_xyxy"][row]
        assert mask.shape == (bottom - top, right - left)
        # The box of what is white is that of the visible part of the person.
        down, across = np.nonzero(mask)
        found = [left + across.min(), top + down.min(), left + across.max() + 1, top + down.max() + 1]
        np.testing.assert_array_equal(found, made["visible_xyxy"][box])


def test_an_interrupted_set_resumes_where_it_stopped(rendered: Path, tmp_path: Path) -> None:
    worlds = tmp_path / "worlds"
    worlds.mkdir()
    kept = (rendered / "worlds/0000.npz").read_bytes()
    (worlds / "0000.npz").write_bytes(kept)
    (worlds / ".0001.npz.part").write_bytes(b"half")
    before = (worlds / "0000.npz").stat().st_mtime_ns
    render_dataset(SPEC, tmp_path, workers=1)
    assert (worlds / "0000.npz").stat().st_mtime_ns == before
    assert (worlds / "0001.npz").read_bytes() == (rendered / "worlds/0001.npz").read_bytes()


def test_a_larger_set_contains_the_smaller_one() -> None:
    first, larger = DatasetSpec(worlds=1, seed=3), DatasetSpec(worlds=50, seed=3)
    assert first.scenario(0) == larger.scenario(0)


def test_fixed_places_have_the_same_people_as_varied_ones() -> None:
    varied, fixed = DatasetSpec(worlds=6, seed=3), DatasetSpec(worlds=6, seed=3, fixed_places=True)
    for number in range(6):
        assert fixed.scenario(number) == replace(varied.scenario(number), variant=0)
        assert varied.scenario(number).variant > 0


def test_worlds_of_a_set_differ() -> None:
    spec = DatasetSpec(worlds=30, seed=3)
    assert len({(spec.scenario(n).place, spec.scenario(n).variant, spec.scenario(n).seed) for n in range(30)}) == 30


def run_script(text: str, folder: Path) -> str:
    """Run a program beside ``folder`` with it as its argument, and return what it prints."""
    script = folder.with_suffix(".py")
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_is_one_error_line_and_leaves_no_partial_world(tmp_path: Path) -> None:
    assert "expected room for a world" in run_script(FULL_DISK, tmp_path / "set")
    assert not list((tmp_path / "set/worlds").iterdir())


def test_a_full_disk_leaves_no_video_under_its_final_name(tmp_path: Path) -> None:
    assert "expected room for videos and truth" in run_script(FULL_DISK_OF_VIDEOS, tmp_path / "videos")
    assert all(path.name.endswith(".part") for path in (tmp_path / "videos").rglob("*") if path.is_file())


@pytest.mark.parametrize("wrong", [{"worlds": 0}, {"people": 0}, {"seconds": 0.0}, {"worlds": 10**9}])
def test_an_impossible_set_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        DatasetSpec(**{"worlds": 1, "seed": 0, **wrong})  # type: ignore[arg-type]


def test_a_recording_of_no_length_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        render(World(SCENARIO), tmp_path, seconds=0.0, crf=23)


def test_an_unknown_benchmark_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"crowd.*got 'moon'"):
        render_benchmark("moon", tmp_path)


@pytest.mark.parametrize("arguments", [["--place", "moon"], ["--people", "-1"], ["--cameras", "attic"]])
def test_the_command_names_the_error_and_exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.synthetic", "render", "--out", str(tmp_path / "out"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_speed_of_rendering_is_measured() -> None:
    assert frames_per_second(2, 1, moments=1) > 0


def test_shards_are_reproducible() -> None:
    first, again = (shard(SPEC.scenario(0), seconds=1.0, number=0) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_a_site_with_its_cameras(name: str) -> None:
    file = "demo" if name == "demo" else f"world_{name}"
    site = yaml.safe_load((ROOT / f"configs/site/{file}.yaml").read_text())
    assert set(site["cameras"]) == {camera.name for camera in World(BENCHMARKS[name].scenario).cameras}
