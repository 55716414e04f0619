"""``passerby doctor --install gpu``."""

import pytest

from pipeline.cli.installation import doctor, gpu
from pipeline.cli.installation.pip_steps import Step


def test_the_builds_for_processors_go_before_those_for_gpus_are_written_anew() -> None:
    first, second, last = gpu.steps()
    assert (first.verb, second.verb, last.verb) == ("install", "uninstall", "install")
    assert set(second.words) == {"--yes", "onnxruntime", "faiss-cpu"}
    assert "--force-reinstall" in last.words
    assert "--no-deps" in last.words
    assert [name.split("[")[0] for name in first.words] == list(last.words[-2:])


def test_a_step_that_fails_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "steps", lambda: [Step("a package that is not there", ("--no-such-option",))])
    assert doctor.main(["--install", "gpu"]) == 2
    *_, last = capfd.readouterr().err.splitlines()
    assert last.startswith("error: doctor --install gpu: a package that is not there failed")
