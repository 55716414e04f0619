"""What is printed at the end of a run."""

from pathlib import Path

import pytest

from pipeline.telemetry.summary import print_summary

COUNTS = {"frames_processed": 20, "frames_dropped": 0, "bad_frames": 0, "tracklets": 5}
SUMMARY = {"identities": 7, "sightings": 15, "corrections": 1, "alerts": 0, "frames_per_s": 4.5}


def test_names_and_folders_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("/a/[bold] films") / ("long" * 30) / "o 2 ä=[x]"
    print_summary(SUMMARY | {"cameras": {"gate [red]": COUNTS}}, folder)
    printed = capsys.readouterr().out
    assert f"files: {folder}\n" in printed
    assert "gate [red]" in printed
