"""Files of choices that say nothing, or that are no text."""

from pathlib import Path

import pytest

from pipeline.config.choice_files import check_choice_files
from pipeline.config.composition import CONFIGS, load_config
from pipeline.config.plugins import build
from pipeline.core.errors import ConfigError

NO_TEXT = b"\xff\xfe\x00"


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("group", "choice"), [("sink", "sink=[mine]"), ("site", "site=mine"), ("pose", "pose=mine")])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, group: str, choice: str) -> None:
    write(tmp_path, "alerts/mine.yaml", NO_TEXT)
    path = write(tmp_path, f"{group}/mine.yaml", NO_TEXT)
    with pytest.raises(ConfigError, match=rf"^{path}: expected text in UTF-8, got other bytes; save it as UTF-8$"):
        load_config([f"--config-dir={tmp_path}", choice])


def test_a_file_that_is_no_text_is_named_where_another_file_takes_it_in(tmp_path: Path) -> None:
    write(tmp_path, "site/mine.yaml", b"defaults: [doors]\n")
    path = write(tmp_path, "site/doors.yaml", b"zones: {}  # caf\xe9\n")
    with pytest.raises(ConfigError, match=rf"^{path}: expected text in UTF-8"):
        load_config([f"--config-dir={tmp_path}", "site=mine"])


@pytest.mark.parametrize("content", [b"", b"# later\n", b"{}\n", b"just text\n", b"- a\n"])
@pytest.mark.parametrize(
    ("group", "choice", "lines"),
    [
        ("sink", "sink=[jsonl,mine]", "mine: {_target_: my_package.MyClass}"),
        ("alerts", "alerts=mine", "mine: {_target_: my_package.MyClass}"),
        ("detector", "detector=mine", "_target_: my_package.MyClass"),
        ("site", "site=mine", "cameras: {east: /videos/east.mp4}"),
    ],
)
def test_a_file_that_says_nothing_is_refused_with_what_to_write(
    tmp_path: Path, group: str, choice: str, lines: str, content: bytes
) -> None:
    path = write(tmp_path, f"{group}/mine.yaml", content)
    with pytest.raises(ConfigError) as refused:
        load_config([f"--config-dir={tmp_path}", choice])
    assert str(refused.value).startswith(f"{path}: expected '{lines}', got ")
    assert str(refused.value).endswith("; write that into it")


def test_all_shipped_choices_of_a_list_can_be_chosen_together() -> None:
    for group in ("sink", "alerts"):
        names = sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))
        check_choice_files([f"{group}=[{','.join(names)}]"], [CONFIGS])


def test_a_file_of_several_groups_is_not_taken_for_another_of_them(tmp_path: Path) -> None:
    content = b"# @package _global_\nsink:\n  mine:\n    _target_: a.B\nmonitor:\n  _target_: a.C\n"
    write(tmp_path, "sink/mine.yaml", content)
    write(tmp_path, "sink/other.yaml", content)
    with pytest.raises(ConfigError, match=r"sink\.mine: expected one of that name, got two"):
        check_choice_files(["sink=[mine,other]"], [tmp_path])


def test_a_choice_that_is_named_twice_is_said_to_be() -> None:
    with pytest.raises(ConfigError, match=r"^sink: expected each choice once, got jsonl twice; name it once$"):
        load_config(["sink=[jsonl,mot,jsonl]"])


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("matcher.nosuch", ""),
        ("matcher.windows_s", "did you mean matcher.window_s?"),
        ("flow.drain", "did you mean flow.drain_s?"),
        ("matchr", "did you mean matcher?"),
        ("nosuch", ""),
        ("weight_dir", "did you mean weights_dir?"),
    ],
)
def test_a_key_is_suggested_only_if_it_is_alike(key: str, meant: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config([f"{key}=1"])
    assert (
        str(refused.value) == f"{key}: there is no such key; {meant and meant + '; '}passerby run --cfg job shows all"
    )


def test_a_standard_module_is_never_to_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "asks_windows.py", b"import winreg\n\n\nclass Asking: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"^sink\.mine: asks_windows needs winreg, .*it is a standard module"
    ) as refused:
        build({"_target_": "asks_windows.Asking"}, "sink.mine", allow=["asks_windows"])
    assert "pip" not in str(refused.value)
