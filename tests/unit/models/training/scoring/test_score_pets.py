"""The protocol on real footage is that of the published figures."""

from pathlib import Path

import pytest

from models.training.scoring.pets import read_half_crops
from models.training.scoring.score_pets import Footage, main, score_vectors
from models.training.scoring.single_crops import histogram_vectors
from pipeline.core.errors import ConfigError


@pytest.fixture(scope="module")
def footage(shared: Path) -> Footage:
    folder = shared / "data" / "pets09"
    return Footage(folder / "vtest.avi", folder / "PETS2009-S2L1.xml")


@pytest.mark.shared
def test_the_histogram_scores_as_published(footage: Footage) -> None:
    people = read_half_crops(footage.video, footage.truth)
    assert len(set(zip(people.person_ids.tolist(), people.halves.tolist(), strict=True))) == 34
    mean_ap, _ = score_vectors(histogram_vectors(people.crops), people)
    assert mean_ap == pytest.approx(0.415, abs=0.002)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.usefixtures("shared")
def test_0288_scores_as_published(capsys: pytest.CaptureFixture) -> None:
    main(["embedder=omz_0288"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("omz_0288")]
    assert float(line.split()[1]) == pytest.approx(0.601, abs=0.003)


def test_something_must_be_named() -> None:
    with pytest.raises(ConfigError, match="expected detector=… or embedder=…"):
        main([])


def test_a_missing_video_is_named(tmp_path: Path, footage: Footage) -> None:
    with pytest.raises(ConfigError, match=r"none\.avi: expected a video"):
        read_half_crops(tmp_path / "none.avi", footage.truth)
