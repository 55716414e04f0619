import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
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


def test_a_missing_package_that_nobody_knows_is_named_and_no_command(plugins: str) -> None:
    with pytest.raises(
        MissingDependencyError, match=r"connectors\.hungry needs no_such_package, which is not installed; install what"
    ):
        build({"_target_": "connectors.hungry.Plugin"}, "source.hungry")


def test_a_package_that_is_an_extra_is_installed_as_one(plugins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.config.plugins.EXTRAS", {"no_such_package": ".[hungry]"})
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[hungry\]'"):
        build({"_target_": "connectors.hungry.Plugin"}, "source.hungry")


def test_a_module_of_ours_that_is_not_there_is_no_missing_package() -> None:
    with pytest.raises(ConfigError, match=r"there is no module nowhere in connectors; correct it") as caught:
        build({"_target_": "connectors.nowhere.Thing"}, "sink.mine")
    assert not isinstance(caught.value, MissingDependencyError)


@pytest.mark.parametrize("name", ["Absent", "function"])
def test_what_is_no_class_is_refused(plugins: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no class {name} in connectors.given"):
        build({"_target_": f"connectors.given.{name}"}, "sink.mine")


def test_a_wrong_argument_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^sink\.memory: .*'bussy_times', perhaps 'busy_times' is meant; MemorySink takes records, busy_times",
    ):
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


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of one's own, ``my_own``."""
    (tmp_path / "my_own").mkdir()
    (tmp_path / "my_own/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "my_own"
    for name in [name for name in sys.modules if name.split(".")[0] == "my_own"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("my_own.nomod.X", r"_target_: there is no module nomod in my_own; correct it"),
        ("my_own.faulty.deep.X", r"_target_: importing my_own\.faulty\.deep raised RuntimeError: boom two"),
        ("my_own.lacking.X", r"_target_: there is no module gone in my_own; correct it"),
        ("my_own.hungry.X", r" my_own\.hungry needs no_such_package, which is not installed; install what provides it"),
        ("my_own.faulty.X", r"_target_: importing my_own\.faulty raised RuntimeError: boom two \(.*faulty\.py:1\); "),
        ("my_own.exits.X", r"_target_: importing my_own\.exits raised SystemExit: 3 \(.*exits\.py:1\); correct it"),
        ("my_own.wrong.X", r"_target_: importing my_own\.wrong raised SyntaxError: .*\(.*wrong\.py:1\); correct it"),
        ("my_own.half.X", r"_target_: importing my_own\.half raised ImportError: cannot import name .* correct it"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_true_line(own: Path, target: str, why: str) -> None:
    for name, text in {
        "lacking": "import my_own.gone",
        "hungry": "import no_such_package.inner",
        "faulty": "raise RuntimeError('boom\\ntwo')",
        "exits": "raise SystemExit(3)",
        "wrong": "def (",
        "half": "from my_own.good import absent",
        "good": "",
    }.items():
        (own / f"{name}.py").write_text(text + "\n")
    with pytest.raises(ConfigError, match=rf"^sink\.mine[.:]({why})[^\n]*$") as caught:
        build({"_target_": target}, "sink.mine", allow=["my_own"])
    assert "pip install" not in str(caught.value)


def test_a_package_that_is_nowhere_is_no_advice_to_install_one() -> None:
    with pytest.raises(ConfigError, match=r"there is no module not_here_at_all here; correct it, install it, or name"):
        build({"_target_": "not_here_at_all.X"}, "sink.mine", allow=["not_here_at_all"])


def test_a_wrong_key_is_named_before_a_missing_one(own: Path) -> None:
    (own / "sinks.py").write_text("class Mine:\n    def __init__(self, *, file: str) -> None: ...\n")
    node = {"_target_": "my_own.sinks.Mine", "fil": "a"}
    with pytest.raises(
        ConfigError, match=r"^other\.mine: got an unexpected argument 'fil', perhaps 'file' is meant; M"
    ):
        build(node, "other.mine", allow=["my_own"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "_target_: my_own.Mine\nfile: a\n",
            r"^sink: expected a YAML that begins with the name .* got .*my_own\.M",
        ),
        (
            "jsonl:\n  _target_: my_own.Mine\n",
            r"^sink\.jsonl: expected one of that name, got two, in .* and .*; g",
        ),
    ],
)
def test_a_sinks_file_has_a_name_of_its_own(own: Path, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "sink").mkdir()
    (tmp_path / "sink/mine.yaml").write_text(text)
    words = ["--config-dir", str(tmp_path), "sink=[jsonl,mine]", f"site.cameras={{a: {tmp_path}}}", "runtime=inline"]
    with pytest.raises(ConfigError, match=why):
        make_plan(load_config([*words, "detector=passerby"]))


def test_a_file_of_ones_own_named_like_a_shipped_one_is_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "sink").mkdir()
    (tmp_path / "sink/mot.yaml").write_text("mot:\n  _target_: my_own.Mine\n")
    with pytest.raises(ConfigError, match=r"^sink\.mot: expected one of that name, got two"):
        load_config(["--config-dir", str(tmp_path), "sink=[mot]", "site=empty"])


def test_allowing_one_package_says_how_a_list_is_written() -> None:
    with pytest.raises(ConfigError, match=r"^allow_plugins: expected a list, got my_own; write 'allow_plugins=\[my_"):
        load_config(["allow_plugins=my_own"])
