"""``passerby doctor --install mmpose``."""

import pytest

from pipeline.cli.installation import doctor, mmpose
from pipeline.cli.installation.mmpose import Step, steps
from pipeline.config.plugins import install_command


def test_xtcocotools_and_chumpy_are_built_after_their_tools_and_before_mmpose() -> None:
    order = [word.split("==")[0] for step in steps() for word in step.words if not word.startswith("--")]
    assert order.index("cython") < order.index("xtcocotools") < order.index("mmpose")
    assert order.index("setuptools") < order.index("chumpy") < order.index("mmpose")


def test_a_step_that_fails_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mmpose, "steps", lambda: [Step("a package that is not there", ("--no-such-option",))])
    assert doctor.main(["--install", "mmpose"]) == 2
    *_, last = capfd.readouterr().err.splitlines()
    assert last.startswith("error: doctor --install mmpose: a package that is not there failed")


def test_no_compiler_is_said_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert doctor.main(["--install", "mmpose"]) == 2
    said = capsys.readouterr()
    assert said.err == "error: doctor --install mmpose: expected a C compiler, got none; apt-get install gcc\n"
    assert said.out == ""


def test_what_mmpose_is_made_of_leads_to_the_command() -> None:
    assert install_command("mmengine") == "passerby doctor --install mmpose"
    assert install_command("torchvision", "models.pose.mmpose") == "passerby doctor --install mmpose"
    assert install_command("torch", "models.reid.video") == "pip install 'passerby[video]'"
