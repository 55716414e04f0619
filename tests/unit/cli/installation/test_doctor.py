"""``passerby doctor`` and shell completion."""

import subprocess
import sys
from pathlib import Path

import pytest
from plugins import ROOT

from pipeline.cli.installation import doctor
from pipeline.cli.installation.completion import script
from pipeline.cli.main import COMMANDS


def test_a_complete_installation_is_said_to_be_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 0
    printed = capsys.readouterr().out
    assert "ok" in printed
    assert "missing" not in printed


def test_a_package_that_the_default_run_needs_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no_such_module"))
    assert doctor.main([]) == 1
    assert "no_such_module not found" in capsys.readouterr().out


def test_an_extra_that_is_not_installed_comes_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"kafka": ("no_such.module", "frames from Kafka")})
    assert doctor.main([]) == 0
    assert "pip install 'passerby[kafka]'" in " ".join(capsys.readouterr().out.split())


def test_a_broker_that_is_not_there_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("kafka")
    assert doctor.main(["--broker", "127.0.0.1:1"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().out


def test_the_shell_completes_what_a_command_takes() -> None:
    lines = script()

    def completed(*words: str) -> list[str]:
        ask = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _passerby; echo ${{COMPREPLY[@]}}"
        done = subprocess.run(["bash", "-c", f"{lines}\n{ask}"], capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completed("passerby", "led") == ["ledger"]
    assert completed("passerby", "run", "runtime=i") == ["runtime=inline"]
    assert completed("passerby", "ledger", "er") == ["erase"]
    assert completed("passerby", "ledger", "merge", "--b") == ["--by"]
    assert completed("passerby", "weights", "runtime=i") == []
    assert completed("passerby", "completion", "z") == ["zsh"]


@pytest.mark.parametrize("words", [["--help"], []])
def test_without_a_command_every_command_is_listed(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in COMMANDS)


def test_a_command_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", "rnu"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"rnu: expected one of {', '.join(COMMANDS)}" in done.stderr


def test_a_command_whose_extra_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli import main

    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module named 'kafka'", name="kafka")

    monkeypatch.setattr(main, "import_module", absent)
    monkeypatch.setattr(sys, "argv", ["passerby", "alerts", "--help"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: passerby alerts: needs kafka; pip install 'passerby[kafka]'\n"


def test_the_detector_of_each_camera_is_shown_and_what_keeps_a_run_from_starting(tmp_path: Path) -> None:
    (tmp_path / "east.mp4").touch()
    east = f"east: {tmp_path}/east.mp4"

    def said(detector: str) -> list[tuple[str, str]]:
        gate = f"gate: {{uri: {tmp_path}/east.mp4, detector: {detector}}}"
        found = doctor.detectors([f"site.cameras={{{east}, {gate}}}", "detector=passerby", "embedder=passerby"])
        return [(finding.name, finding.text) for finding in found]

    both = ["passerby_detector.onnx, 384x640, cpu", "passerby_detector.onnx, 192x320, cpu"]
    assert said("{input_hw: [192, 320]}") == list(zip(["detector of east", "detector of gate"], both, strict=True))
    ((name, text),) = said("fisheye")
    assert name == "configuration"
    assert text.startswith("site.cameras.gate.detector: expected one of ")
