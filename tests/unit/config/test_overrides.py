"""What people type: files and cameras with any name, and mistakes that are one line in their own words."""

import re
import shlex
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.composition import CONFIGS, load_config
from pipeline.config.overrides import read_overrides
from pipeline.config.schema import TruthConfig
from pipeline.core.errors import ConfigError

FOREIGN = re.compile(
    r"hydra|OmegaConf|Lexer|alternative at input|is not in struct|DictConfig|full_key|defaults list|Traceback|KeyError",
    re.IGNORECASE,
)
"""What no user should read: words of the libraries that compose the configuration."""


def value_of(word: str) -> object:
    """Return what an override of a dictionary sets."""
    (change,) = read_overrides([word]).changes
    return change.value


def refused(*words: str) -> str:
    """Return the message of a command line that is refused; it is one line without foreign words."""
    with pytest.raises(ConfigError) as caught:
        load_config([*words])
    message = str(caught.value)
    assert "\n" not in message
    assert not FOREIGN.search(message), message
    return message


@pytest.mark.parametrize(
    "name", ["a=b", "a(1)", "a b", "gärten", "a'b", "a:b", "a#b", "a$b", "a%20b", "a&b", "a;b", "100%", "日本"]
)
def test_a_camera_may_be_a_file_of_any_name(name: str) -> None:
    path = f"/films/{name}.mp4"
    assert value_of(f"site.cameras={{east: {path}}}") == {"east": path}


@pytest.mark.parametrize("name", ["a[1]", "a,b", "a{b}", "a]"])
def test_a_file_whose_name_could_mean_something_else_is_answered_with_the_line_to_copy(name: str) -> None:
    path = f"/films/{name}.mp4"
    with pytest.raises(ConfigError) as caught:
        read_overrides([f"site.cameras={{east: {path}, west: /b.mp4}}"])
    (line,) = shlex.split(str(caught.value).partition("; write ")[2])
    assert value_of(line) == {"east": path, "west": "/b.mp4"}


@pytest.mark.parametrize("name", ["1", "01", "1.50", "yes", "no", "null", "true", "Tür", "hall 2", "gate (left)"])
def test_a_camera_may_have_any_name(name: str) -> None:
    assert value_of(f"site.cameras={{{name}: /a.mp4, other: 0}}") == {name: "/a.mp4", "other": 0}


@pytest.mark.parametrize("value", ["/a=b", "/a (1)", "/ü", "~/x", "/a,b", "/a[1]"])
def test_a_path_needs_no_quotes(value: str) -> None:
    (word,) = read_overrides([f"output_dir={value}"]).words
    assert OverridesParser.create().parse_override(word).value() == value


def test_a_camera_and_an_output_folder_of_any_name_reach_the_configuration() -> None:
    config = load_config(["site=empty", "site.cameras.Tür=/ö (1).mp4", "output_dir=~/a=b"])
    assert (config.site.cameras, config.output_dir) == ({"Tür": "/ö (1).mp4"}, str(Path.home() / "a=b"))


@pytest.mark.parametrize("word", ["site.cameras.north=/mine.mp4", "site.cameras.north.uri=/mine.mp4"])
def test_another_film_under_the_name_of_a_recording_with_truth_is_refused(word: str) -> None:
    assert "name your own cameras as a whole: 'site.cameras={north: …}'" in refused(word)


def test_other_options_of_a_camera_with_truth_may_change() -> None:
    assert load_config(["site.cameras.north.stride=2"]).site.cameras["north"]["stride"] == 2


def test_people_of_the_watch_list_replace_without_a_plus() -> None:
    config = load_config(["alerts=[watchlist]", "alerts.watchlist.people={lost child: 17}"])
    assert config.alerts["watchlist"]["people"] == {"lost child": 17}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["+foo=1"], "foo: there is no such key"),
        (["++matcher.foo=1"], "matcher.foo: there is no such key"),
        (["matcher.window=1"], "matcher.window: there is no such key; did you mean matcher.window_s?"),
        (["+site=demo"], "site: chosen twice"),
        (["~site.zones"], "site.zones: cannot be removed"),
        (["sink=[nope]"], "sink: expected one of alert_clips, alert_pictures, "),
        (["detector=nope"], "detector: expected one of onnx, openvino, passerby, "),
        (["alerts.restricted_camera.cameras=[a]"], "restricted_camera is not chosen; add it to alerts=[…]"),
        (["sink.kafka.partitions=3"], "kafka is not chosen; add it to sink=[…]"),
        (["sink=[alert_clips]", "sink.alert_clips.after=3"], "alert_clips has no key after; did you mean after_s?"),
        (["sink=[jsonl]", "sink.jsonl.colour=red"], "sink.jsonl.colour: jsonl has no key colour; it has output_dir"),
        (["alerts.watchlist.who=[a]"], "watchlist has no key who; it has "),
        (["site.cameras=/a.mp4"], "site.cameras: expected {name: value, …}"),
        (["site.cameras={a"], "site.cameras: expected {name: value, …} or [value, …] with every bracket closed"),
        (["matcher.window_s=often"], "matcher.window_s: expected a number, got often"),
        (["matcher.window_s=0.1,0.2"], "matcher.window_s: expected one value, got 0.1,0.2; write"),
        (["resume=perhaps"], "resume: expected true or false, got perhaps"),
        (["hello"], "hello: expected key=value"),
        (["=x"], "=x: expected key=value"),
        (["--speed=3"], "--speed: expected key=value"),
        (["-m"], "-m: not offered: a run has one configuration; start one run for each value"),
        (["--multirun"], "--multirun: not offered"),
        (["--config-name", "x"], "--config-name: not offered: there is one configuration; add files of your own"),
        (["--config-dir"], "--config-dir: expected a folder"),
        (["--config-dir=/absent"], "--config-dir: expected a folder with site/, alerts/, …, got /absent"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_told_in_the_words_of_the_user(words: list[str], said: str) -> None:
    assert said in refused(*words)


def test_a_key_of_the_composer_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^hydra\.run\.dir: no key of a run; output_dir=… says where results go$"):
        load_config(["hydra.run.dir=/x"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "key", "names"),
    [
        ("sink=[webhook]", "sink.webhook", ["PASSERBY_WEBHOOK_URL"]),
        ("site=campus", "site.cameras.gate", ["CAMERA_USER", "CAMERA_PASSWORD"]),
    ],
)
def test_a_variable_that_is_not_set_is_named_with_the_line_that_sets_it(
    word: str, key: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        monkeypatch.delenv(name, raising=False)
    message = refused(word)
    assert message.startswith(key)
    assert all(f"export {name}=…" in message for name in names)


def write_site(folder: Path, text: str) -> None:
    (folder / "site").mkdir()
    (folder / "site/mine.yaml").write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_folder_of_ones_own_holds_more_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    folder = tmp_path / "my (own) configs"
    folder.mkdir()
    write_site(folder, "cameras: {east: /a.mp4}\nmax_dwell_s: 5\n")
    words = ["site=mine"]
    if by == "option":
        words += ["--config-dir", str(folder)]
    else:
        monkeypatch.setenv("PASSERBY_CONFIG_DIR", str(folder))
    site = load_config(words).site
    assert (site.cameras, site.max_dwell_s) == ({"east": "/a.mp4"}, 5.0)
    assert "mine" in refused("site=nowhere", *words[1:])


@pytest.mark.slow
def test_a_name_in_a_site_of_ones_own_that_is_no_text_is_answered_with_quotes(tmp_path: Path) -> None:
    write_site(tmp_path, "cameras:\n  1: /a.mp4\n")
    message = refused("site=mine", f"--config-dir={tmp_path}")
    assert message.startswith("site.cameras.1: expected text as a name, got 1; write '1' in quotes")


@pytest.mark.slow
def test_the_folder_of_choices_may_be_elsewhere_and_the_order_of_words_does_not_matter(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "site", tmp_path / "site")
    (tmp_path / "site/empty.yaml").rename(tmp_path / "site/nothing.yaml")
    assert load_config([f"--config-dir={tmp_path}", "site=nothing", "site.cameras={a: 0}"]).site.cameras == {"a": 0}


@given(st.text(min_size=1).filter(lambda text: not text.isspace()))
def test_whatever_is_typed_is_read_or_refused_in_one_line(text: str) -> None:
    for word in (text, f"site.cameras={text}", f"site.cameras={{east: {text}}}", f"output_dir={text}", f"{text}=1"):
        with suppress(ConfigError):
            read_overrides([word])


def test_own_footage_may_have_an_own_ground_truth() -> None:
    cameras = "site.cameras={east: /a/east.mp4}"
    config = load_config([cameras, "site.truth={format: mot, file: '/a/{camera_id}.txt', crops: {east: null}}"])
    assert config.site.truth == TruthConfig("mot", "/a/{camera_id}.txt", {"east": None})
    with pytest.raises(ConfigError, match=r"^site\.truth\.format: expected a value"):
        load_config([cameras, "site.truth.file=/a/east.txt"])
    with pytest.raises(ConfigError, match=r"^site\.truth\.fomat: "):
        load_config([cameras, "site.truth={fomat: mot, file: /a/east.txt}"])
    assert load_config(["site=demo", "site.truth=null"]).site.truth is None
