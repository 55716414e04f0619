"""What is said of a run that is continued with another configuration."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline.config.changed_keys import changed_keys, check_enrolled
from pipeline.config.composition import load_config, to_yaml
from pipeline.core.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(load_config(["site.cameras={east: /a.mp4}", "runtime=ray"])))
    return path


def changed(file: Path, *words: str) -> list[str]:
    return changed_keys(file, load_config(["site.cameras={east: /a.mp4}", *words]))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("matcher.max_false_match_rate=0.2", "matcher.max_false_match_rate (0.01, now 0.2)"),
        ("matcher.leave_after_s=inf", "matcher.leave_after_s (2.0, now inf)"),
        ("site.max_dwell_s=7", "alerts.zone_dwell.max_dwell_s (30.0, now 7.0)"),
        ("site.lines={gate: {camera: east, from: [0, 0], to: [9, 9]}}", "site.lines.gate.camera (nothing, now east)"),
        ("detect.min_score=0.3", "detect.min_score (0.1, now 0.3)"),
    ],
)
def test_a_key_that_decides_is_named_with_both_values(file: Path, word: str, said: str) -> None:
    assert said in changed(file, word)


@pytest.mark.parametrize(
    "word",
    ["runtime=inline", "device=cuda", "output_dir=/b", "sink=[jsonl]", "site.cameras={east: /b.mp4}", "resume=true"],
)
def test_what_does_not_decide_is_left_out(file: Path, word: str) -> None:
    assert changed(file, word) == []


def test_without_an_earlier_configuration_nothing_is_said(tmp_path: Path) -> None:
    assert changed(tmp_path / "config.yaml") == []
    (tmp_path / "config.yaml").write_text("[")
    assert changed(tmp_path / "config.yaml") == []


CHILD, UNCLE = "lost child: /child", "uncle: /uncle"


@pytest.mark.parametrize(
    ("before", "now", "is_refused"),
    [
        ([CHILD], [CHILD], False),
        ([CHILD], [CHILD, UNCLE], True),  # number 2 may be somebody who was seen
        ([CHILD, UNCLE], [UNCLE, CHILD], True),
        ([CHILD], [], True),
        ([], [CHILD], True),
    ],
)
def test_a_run_is_continued_only_with_the_people_it_has_enrolled(
    before: list[str], now: list[str], is_refused: bool, tmp_path: Path
) -> None:
    first, then = (load_config(["site=empty", f"enrol={{{', '.join(names)}}}"]) for names in (before, now))
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(first))
    refused = pytest.raises(ConfigError, match=r"^enrol: expected the people of the run that is continued")
    with refused if is_refused else nullcontext():
        check_enrolled(file, then)


def test_of_a_run_whose_configuration_is_lost_nothing_is_refused(tmp_path: Path) -> None:
    check_enrolled(tmp_path / "config.yaml", load_config(["site=empty", f"enrol={{{CHILD}}}"]))
