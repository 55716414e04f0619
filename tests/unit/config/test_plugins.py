import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.plugins import attribute, build, build_source
from pipeline.core.errors import ConfigError, MissingDependencyError, WeightsError

SINK = "connectors.sinks.memory.MemorySink"
SOURCE = "connectors.sources.memory.MemorySource"
PLUGIN = """
from pipeline.core.errors import WeightsError

CALLS = []


class Plugin:
    size = 7

    def __init__(self, camera_id, uri, *, paths=(), options=None):
        self.arguments = (camera_id, uri, paths, options)

    @staticmethod
    def preflight(paths=(), options=None):
        CALLS.append(paths)
        if "absent" in paths:
            raise WeightsError("absent: not there")

    def check(self): pass
    def frames(self): return iter(())
    def resume(self, stamp): pass
    def ack(self, stamp): pass
    def close(self): pass


class Open:
    def __init__(self, *, name, **options):
        self.arguments = (name, options)


def function():
    raise AssertionError("never called")
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Modules among the plug-ins: one that works, and two that need what is not installed."""
    import connectors

    (tmp_path / "given.py").write_text(PLUGIN)
    (tmp_path / "hungry.py").write_text("import no_such_package.inner\n")
    (tmp_path / "muddled.py").write_text("from connectors import not_there_at_all\nimport connectors.gone\n")
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(tmp_path)])
    yield "connectors.given.Plugin"
    for name in ("given", "hungry", "muddled"):
        sys.modules.pop(f"connectors.{name}", None)
        vars(connectors).pop(name, None)


def test_a_plug_in_is_constructed_when_its_factory_is_called(plugins: str) -> None:
    plugin = build({"_target_": plugins, "options": {"a": 1}}, "source.given", "east", "/a")()
    assert plugin.arguments == ("east", "/a", (), {"a": 1})


def test_a_factory_can_be_sent_to_another_process() -> None:
    factory = pickle.loads(pickle.dumps(build({"_target_": SINK, "busy_times": 2}, "sink.memory")))
    assert factory().records == []


def test_lists_become_tuples_however_deep(plugins: str) -> None:
    node = {"_target_": plugins, "paths": ["a", ["b"]], "options": {"sizes": [1, 2]}}
    assert build(node, "source.given", "east", "/a")().arguments[2:] == (("a", ("b",)), {"sizes": (1, 2)})


def test_an_attribute_of_the_class_is_known_before_it_is_constructed(plugins: str) -> None:
    assert attribute(build({"_target_": plugins}, "source.given", "east", "/a"), "size") == 7


def test_preflight_is_called_with_the_same_keywords(plugins: str) -> None:
    build({"_target_": plugins, "paths": ["a"]}, "source.given", "east", "/a")
    assert sys.modules["connectors.given"].CALLS == [("a",)]


def test_preflight_says_what_is_absent_before_anything_is_built(plugins: str) -> None:
    with pytest.raises(WeightsError, match="absent: not there"):
        build({"_target_": plugins, "paths": ["absent"]}, "source.given", "east", "/a")


@pytest.mark.parametrize(
    "target",
    ["os.system", "subprocess.Popen", "builtins.eval", "modelsx.evil.Thing", "pipeline.run.main", "Popen", ""],
)
def test_only_our_own_plug_ins_may_be_named(target: str) -> None:
    with pytest.raises(ConfigError, match=r"^sink\.mine\._target_: expected one of models\., "):
        build({"_target_": target}, "sink.mine")


@pytest.mark.parametrize("node", [None, "memory", ["a"], {}, {"target": SINK}], ids=repr)
def test_what_is_no_plug_in_is_named_by_its_key(node) -> None:
    with pytest.raises(ConfigError, match=r"^sink\.mine: expected a plug-in with _target_, got .*; see configs/"):
        build(node, "sink.mine")


def test_a_missing_package_is_named_with_the_command_that_installs_it(plugins: str) -> None:
    with pytest.raises(MissingDependencyError, match=r"connectors\.hungry needs no_such_package; pip install 'no_such"):
        build({"_target_": "connectors.hungry.Plugin"}, "source.hungry")


def test_a_package_that_is_an_extra_is_installed_as_one(plugins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.config.plugins.EXTRAS", {"no_such_package": ".[hungry]"})
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[hungry\]'"):
        build({"_target_": "connectors.hungry.Plugin"}, "source.hungry")


def test_a_module_of_ours_that_is_not_there_is_no_missing_package() -> None:
    with pytest.raises(ConfigError, match=r"there is no module connectors\.nowhere") as caught:
        build({"_target_": "connectors.nowhere.Thing"}, "sink.mine")
    assert not isinstance(caught.value, MissingDependencyError)


@pytest.mark.parametrize("name", ["Absent", "function"])
def test_what_is_no_class_is_refused(plugins: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no class {name} in connectors.given"):
        build({"_target_": f"connectors.given.{name}"}, "sink.mine")


def test_a_wrong_argument_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"^sink\.memory: .*'bussy_times'; MemorySink takes records, busy_times"):
        build({"_target_": SINK, "bussy_times": 1}, "sink.memory")


def test_a_missing_argument_is_found_before_construction(plugins: str) -> None:
    with pytest.raises(ConfigError, match="missing a required argument: 'uri'; Plugin takes camera_id, uri"):
        build({"_target_": plugins}, "source.given", "east")


def sources(*kinds: str) -> dict[str, dict[str, str]]:
    return {kind: {"_target_": "connectors.given.Plugin"} for kind in kinds}


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("rtsp://host/1", "rtsp"),
        ("RTSP://host/1", "rtsp"),
        ("kafka://host/topic", "kafka"),
        ("0", "device"),
        (0, "device"),
    ],
)
def test_the_kind_of_uri_chooses_the_source(plugins: str, uri: object, kind: str) -> None:
    assert build_source("east", uri, sources(kind))().arguments[:2] == ("east", str(uri))


def test_a_path_is_a_file_or_a_folder_of_pictures_and_made_absolute(
    plugins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert build_source("east", "a.mp4", sources("file"))().arguments[1] == str(tmp_path / "a.mp4")
    assert build_source("east", "folder", sources("images"))().arguments[1] == str(tmp_path / "folder")


def test_a_block_gives_options_to_the_source_of_that_camera(plugins: str) -> None:
    block = {"uri": "rtsp://host/1", "paths": ["a"]}
    assert build_source("east", block, sources("rtsp"))().arguments == ("east", "rtsp://host/1", ("a",), None)
    assert block == {"uri": "rtsp://host/1", "paths": ["a"]}


def test_a_block_for_a_camera_keeps_the_other_options_of_an_inner_plug_in() -> None:
    inner = {"_target_": "connectors.sources.webcam.WebcamOpener", "size_wh": None, "fps": None}
    node = {"_target_": "connectors.sources.live.LiveSource", "opener": inner, "open_timeout_s": 5, "read_timeout_s": 5}
    factory = build_source("door", {"uri": 0, "opener": {"fps": 15.0}}, {"device": node})
    assert attribute(factory, "opener").keywords == {"size_wh": None, "fps": 15.0}
    assert inner["fps"] is None
    assert factory().camera_id == "door"


def test_a_uri_that_no_source_opens_is_answered_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"^site\.cameras\.east: expected .*\['file', 'rtsp'\]://, got gopher://"):
        build_source("east", "gopher://host", sources("rtsp", "file"))


@pytest.mark.parametrize("camera", [None, {}, {"fps": 5}, {"uri": None}], ids=repr)
def test_a_camera_without_a_uri_is_refused(camera) -> None:
    with pytest.raises(ConfigError, match=r"^site\.cameras\.east: expected a uri"):
        build_source("east", camera, sources("file"))


def test_a_package_of_ones_own_is_a_plug_in_once_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_sinks.py").write_text("class NullSink:\n    def __init__(self, size: int = 1): self.size = size\n")
    monkeypatch.syspath_prepend(tmp_path)
    node = {"_target_": "my_sinks.NullSink", "size": 3}
    with pytest.raises(ConfigError, match=r"got my_sinks\.NullSink; allow_plugins=\[my_sinks\] allows"):
        build(node, "other.null")
    assert build(node, "other.null", allow=["my_sinks"])().size == 3


def test_an_installed_package_that_names_itself_in_the_entry_points_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_sinks.py").write_text("class NullSink:\n    pass\n")
    about = tmp_path / "their_sinks-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-sinks\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[passerby.plugins]\nnull = their_sinks:NullSink\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert type(build({"_target_": "their_sinks.NullSink"}, "other.null")()).__name__ == "NullSink"


def test_only_the_whole_name_of_an_allowed_package_counts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of"):
        build({"_target_": "my_sinks_of_another.NullSink"}, "other.null", allow=["my_sinks"])


def test_a_plug_in_may_take_options_that_it_does_not_name(plugins: str) -> None:
    target = plugins.rpartition(".")[0] + ".Open"
    assert build({"_target_": target, "name": "a", "size": 3}, "other")().arguments == ("a", {"size": 3})


def test_a_file_that_says_nothing_of_reproducible_results_is_as_before(tmp_path: Path) -> None:
    node = {
        "_target_": "models.pose.movenet.MovenetEstimator",
        "weights": "a.tflite",
        "weights_dir": None,
        "sha256": None,
        "margin": 1.0,
        "device": "cpu",
        "threads": 1,
    }
    pytest.importorskip("openvino")
    factory = build(node, "pose", preflight=False)
    assert "reproducible" not in factory.keywords  # type: ignore[attr-defined]
