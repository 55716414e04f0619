"""Trackers are scored on the same boxes, on footage that the command line names."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from plugins import plugin_factory, plugin_names

from models.training.scoring.score_trackers import Options, find_clips, score
from pipeline.core import Detections, FrameStamp
from pipeline.core.errors import ConfigError
from pipeline.evaluation.track_table import TrackTable

FRAMES = 30


def boxes_at(index: int) -> np.ndarray:
    """Two people who walk towards each other, side by side."""
    left = np.array([20 + 4 * index, 300 - 4 * index], np.float32)
    top = np.array([50, 200], np.float32)
    return np.stack([left, top, left + 40, top + 100], axis=1)


@pytest.mark.parametrize("name", plugin_names("tracker"))
def test_every_tracker_follows_two_people_who_are_plain_to_see(name: str) -> None:
    found = [
        Detections(FrameStamp("c", index, index / 10), boxes_at(index), np.full(2, 0.9, np.float32))
        for index in range(FRAMES)
    ]
    truth = TrackTable(
        np.repeat(np.arange(FRAMES), 2), np.tile([1, 2], FRAMES), np.concatenate([boxes_at(i) for i in range(FRAMES)])
    )
    hota, idf1, mota, switches, numbers, people = score(plugin_factory("tracker", name)(), found, truth)
    assert (switches, numbers, people) == (0, 2, 2)
    assert min(hota, idf1, mota) > 0.85


def test_sequences_of_motchallenge_are_found_once_for_all_public_detectors(tmp_path: Path) -> None:
    for detector in ("DPM", "FRCNN"):
        sequence = tmp_path / f"MOT17-02-{detector}"
        for folder in ("img1", "gt"):
            (sequence / folder).mkdir(parents=True)
        cv2.imwrite(str(sequence / "img1" / "000001.jpg"), np.zeros((8, 8, 3), np.uint8))
        (sequence / "gt" / "gt.txt").write_text("1,1,0,0,4,8,1,1,1\n1,2,4,0,4,8,0,1,1\n")
        (sequence / "seqinfo.ini").write_text("[Sequence]\nframeRate=14\n")
    (clip,) = find_clips(Options(pets=False, mot=str(tmp_path)))
    assert (clip.name, clip.fps, clip.truth.counts.tolist()) == ("MOT17-02", 14, [True, False])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Options(pets=False), "pets, mot, clips: expected at least one"),
        (Options(pets=False, mot="/nowhere"), "mot: expected folders with img1/"),
        (Options(pets=False, clips="a.mp4"), "clips: expected film:truth"),
    ],
)
def test_footage_that_is_not_named_or_not_there_is_an_error(options: Options, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        find_clips(options)
