"""The files of a finished run, exported again after a correction."""

from pathlib import Path

import pytest
from running import run

from pipeline.cli.ledger import main as ledger
from pipeline.cli.re_export import main


def people_in(folder: Path) -> set[str]:
    lines = [line for path in folder.glob("mot/*.txt") for line in path.read_text().splitlines()]
    return {line.split(",")[1] for line in lines}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_text_and_films_follow_a_correction_that_came_after_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["site=demo", "source.file.seconds=3", "runtime=inline", "sink=[jsonl,mot,annotated_video]"]
    assert run([*short, f"output_dir={tmp_path}"], timeout_s=300).code == 0
    texts = {path: path.read_text() for path in tmp_path.glob("mot/*.txt")}
    films = {path: path.read_bytes() for path in tmp_path.glob("annotated/*.mp4")}
    assert main([str(tmp_path)]) == 0
    assert {path: path.read_text() for path in texts} == texts
    first, second, third = sorted(people_in(tmp_path), key=int)[:3]
    assert ledger(["merge", str(tmp_path), first, second, "--by", "ann", "--force"]) == 0
    assert f"passerby re-export {tmp_path}" in capsys.readouterr().out
    assert ledger(["erase", str(tmp_path), third, "--by", "ann"]) == 0
    assert main([str(tmp_path)]) == 0
    assert {second, third} & people_in(tmp_path) == set()
    assert first in people_in(tmp_path)
    assert {path: path.read_bytes() for path in films} != films


def test_a_folder_that_is_no_run_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "expected a ledger, got no file" in capsys.readouterr().err
