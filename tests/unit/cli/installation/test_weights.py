"""``passerby weights``: what there is, and how to get it."""

from pathlib import Path

import pytest

from models.weights.store import CATALOGUE
from pipeline.cli.installation.weights import main


def test_the_list_says_where_each_checkpoint_is_or_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PASSERBY_CACHE", str(tmp_path))
    monkeypatch.delenv("PASSERBY_WEIGHTS", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    line, note = [line for line in printed.splitlines() if line.startswith("opencv_zoo_yolox_nano.onnx")]
    assert note.startswith("opencv_zoo_yolox_nano.onnx: detector=yolox_onnx")
    assert line.rstrip().endswith("passerby weights fetch")
    assert str(CATALOGUE.parent) in printed


def test_what_ships_is_fetched_without_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = next(CATALOGUE.parent.glob("*.onnx")).name
    assert main(["fetch", shipped]) == 0
    assert str(CATALOGUE.parent / shipped) in capsys.readouterr().out


def test_a_name_that_is_not_in_the_catalogue_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "nothing.onnx"]) == 2
    assert "nothing.onnx: expected a name that passerby weights list shows" in capsys.readouterr().err


def test_the_cache_is_where_passerby_cache_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PASSERBY_CACHE", str(tmp_path / "mine"))
    monkeypatch.delenv("PASSERBY_WEIGHTS", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/opencv_zoo_yolox_nano.onnx").write_bytes(b"")
    assert main([]) == 0
    assert str(tmp_path / "mine/opencv_zoo_yolox_nano.onnx") in capsys.readouterr().out
