"""Every YAML composes, resolves, and binds to its constructor."""

import re
import shutil
from pathlib import Path

import pytest
from video_networks import video_names

from pipeline.config import composition
from pipeline.config.composition import CONFIGS, load_config, load_written, to_yaml
from pipeline.config.messages import RENAMED
from pipeline.config.plan import make_plan
from pipeline.config.plugins import build, build_source
from pipeline.core.errors import ConfigError, MissingDependencyError, WeightsError

SINGLE = ["detector", "tracker", "pose", "embedder", "gallery"]
SEVERAL = ["alerts", "sink"]
REQUIRED = {
    "onnx": ["detector.weights=/x.onnx"],
    "image_onnx": ["embedder.weights=/x.onnx"],
    "video_onnx": ["embedder.weights=/x.onnx"],
    "rtmpose_onnx": ["pose.weights=/x.onnx"],
    **{name: ["embedder.weights=random"] for name in video_names()},
    "mmpose": ["pose.model_config=/x.py", "pose.weights=/x.pth", "pose.sha256=0"],
}
"""Overrides that a user has to give, because no file is shipped."""


def choices(groups: list[str]) -> list[tuple[str, str]]:
    return [(group, path.stem) for group in groups for path in sorted((CONFIGS / group).glob("*.yaml"))]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERBY_WEBHOOK_URL", "http://127.0.0.1:9/hook")
    monkeypatch.setenv("PASSERBY_MQTT_URL", "mqtt://127.0.0.1:9")
    monkeypatch.setenv("PASSERBY_APPRISE_URLS", "json://127.0.0.1:9")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("CAMERA_USER", "u")
    monkeypatch.setenv("CAMERA_PASSWORD", "p")


@pytest.mark.parametrize(("group", "name"), choices(SINGLE + SEVERAL))
def test_every_choice_binds_to_its_constructor(group: str, name: str) -> None:
    value = f"[{name}]" if group in SEVERAL else name
    config = load_config(["site=pets_halves", f"{group}={value}", *REQUIRED.get(name, [])])
    node = getattr(config, group)
    try:
        build(node[name] if group in SEVERAL else node, group)
    except (MissingDependencyError, WeightsError) as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for _, name in choices(["site"]) if name != "empty"])
def test_every_camera_of_every_site_has_a_source(name: str) -> None:
    config = load_config([f"site={name}"])
    for camera_id, camera in config.site.cameras.items():
        assert build_source(camera_id, camera, config.source)().camera_id == camera_id


@pytest.mark.parametrize("name", [name for _, name in choices(["runtime"])])
def test_every_runtime_makes_a_plan(name: str) -> None:
    assert set(make_plan(load_config([f"runtime={name}", "site=pets_halves"])).make_sources) == {"left", "right"}


def test_cameras_on_the_command_line_replace_those_of_the_site() -> None:
    config = load_config(["site.cameras={east: /a/east.mp4, west: 'rtsp://host/s', door: 0}"])
    assert config.site.cameras == {"east": "/a/east.mp4", "west": "rtsp://host/s", "door": 0}


def test_the_written_configuration_holds_the_values() -> None:
    assert "max_false_match_rate: 0.01" in to_yaml(load_config(["site=pets_halves"]))


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("detectr=yolox_onnx", "detectr"),
        ("detector=yolo_onnx", "yolo_onnx"),
        ("matcher.max_false_match_rat=0.1", "max_false_match_rat"),
        ("matcher.max_false_match_rate=often", "max_false_match_rate"),
        ("detector.min_scor=0.5", "min_scor"),
        ("flow.max_inflight_frames=three", "max_inflight_frames"),
        ("site=nowhere", "nowhere"),
    ],
)
def test_a_mistake_in_a_key_is_one_line_that_names_it(override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan(load_config(["site=pets_halves", override]))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "site.cameras={east: /a.mp4, west: /b.mp4, east: /c.mp4}",
        "site.cameras={east: {uri: /a.mp4, stride: 2}, east: 'rtsp://u:hunter2@host/s'}",
    ],
)
def test_two_cameras_of_one_name_are_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras: .* a different name for each, got east twice") as caught:
        load_config([override])
    assert "hunter2" not in str(caught.value)


def test_the_ground_of_cameras_that_no_file_names_can_be_stated() -> None:
    rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    config = load_config(["site.cameras={east: /a.mp4}", f"site.ground={{east: {rows}}}"])
    assert config.site.ground == {"east": rows}
    assert load_config(["site=demo", "site.ground={}"]).site.ground == {}


def test_two_cameras_of_one_name_in_a_sites_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    (tmp_path / "configs/site/twice.yaml").write_text("cameras:\n  east: /a.mp4\n  east: /b.mp4\n")
    monkeypatch.setattr(composition, "CONFIGS", tmp_path / "configs")
    with pytest.raises(ConfigError, match=r"found duplicate key east.*twice\.yaml") as caught:
        load_config(["site=twice"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["site=empty"], "site.cameras"),
        (["site.cameras={east: 'ftp://host/x'}"], "site.cameras.east"),
        (["site.cameras={east: {speed: 3}}"], "site.cameras.east"),
        (["site.cameras={east: {uri: /a.mp4, stryde: 3}}"], "stryde"),
        (["site=pets_halves", "replay.speed=fast"], "replay.speed"),
        (["site=pets_halves", "replay.speed=0"], "replay.speed"),
        (["site=pets_halves", "detector._target_=os.system"], "_target_"),
        (["site=pets_halves", "detector._target_=models.detection.nothing.X"], "_target_"),
        (["site=pets_halves", "device=tpu"], "device"),
    ],
)
def test_what_cannot_run_is_refused_before_it_starts(overrides: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make_plan(load_config(overrides))


@pytest.mark.parametrize(
    ("override", "secret"),
    [
        ("site.cameras={a: 'rtsp://user:hunter@2@host/x'}", "hunter"),
        ("site.cameras={a: 'rtsp://host/x?token=opensesame&n=1'}", "opensesame"),
        ("+embedder.api_password=hunter2", "hunter2"),
    ],
)
def test_the_written_configuration_shows_no_secret(override: str, secret: str) -> None:
    written = to_yaml(load_config([override]))
    assert "***" in written
    assert f":{secret}" not in written
    assert f"={secret}" not in written
    assert f" {secret}" not in written


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("site.no_transit=[[left, gate]]", "site.no_transit: expected two of"),
        (
            "site.transit_times=[{between: [left, right], min_s: 9, max_s: 3}]",
            "site.transit_times: expected 0 <= min_s",
        ),
        (
            "site.transit_times=[{between: [left, right], min_s: 1, max_s: 3, typical_s: 5}]",
            "site.transit_times: expected 0 <= min_s <= typical_s <= max_s",
        ),
    ],
    ids=["an unknown camera", "maximum below minimum", "typical above maximum"],
)
def test_impossible_transits_are_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        make_plan(load_config(["site=pets_halves", "runtime=inline", override]))


@pytest.mark.parametrize(("old", "now"), sorted(RENAMED.items()))
def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(old: str, now: str) -> None:
    with pytest.raises(ConfigError, match=rf"{re.escape(old)}: this key is now {re.escape(now)}"):
        load_config([f"{old}=1"])


def test_a_site_of_an_earlier_version_is_refused_with_the_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    (tmp_path / "configs/site/old.yaml").write_text("walking_times: []\n")
    monkeypatch.setattr(composition, "CONFIGS", tmp_path / "configs")
    with pytest.raises(ConfigError, match=r"site\.walking_times is now site\.transit_times"):
        load_config(["site=old"])


def test_a_written_configuration_without_a_newer_key_has_its_default(tmp_path: Path) -> None:
    config = load_config(["site=empty", "matcher.window_s=0.7"])
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config).replace("  adapt_to_cameras: true\n", ""))
    assert "adapt_to_cameras" not in path.read_text()
    loaded = load_written(path)
    assert loaded.matcher.adapt_to_cameras
    assert loaded.matcher.window_s == 0.7
