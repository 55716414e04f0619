"""A short form of ``python -m pipeline.evaluation.determinism``; the whole of it takes half an hour."""

import pytest

from pipeline.evaluation.determinism import main


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_there_is_one_result_however_fast_and_however_often_killed(capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--seconds", "5", "--repeats", "1", "--workers", "2", "--speeds", "8", "max", "--kills", "2"]
    assert main(short) == 0
    assert "8 runs, 8 with one result" in capsys.readouterr().out


def test_options_that_cannot_be_end_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--repeats", "often"])
    assert "--repeats" in capsys.readouterr().err
