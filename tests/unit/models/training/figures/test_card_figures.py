"""Pictures of the model cards: what is drawn, and that it stays small."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_networks import write_reid_onnx
from worlds import make_world

from models.training.figures.card_figures import main, picture_keypoints, save
from models.training.figures.image_grid import GREEN, fit, frame_cell, join, write_jpeg
from models.training.scoring.world_people import TrueCrop
from pipeline.core import PoseNeed, Tracklet
from pipeline.core.errors import ConfigError, DataError

NOWHERE = np.zeros((17, 3), np.float32)


class Upright:
    """A pose estimator that gives each person one line from head to foot."""

    gives = PoseNeed.KEYPOINTS

    def estimate(self, tracklets: list[Tracklet]) -> list[Tracklet]:
        line = np.stack([np.full(17, 0.5), np.linspace(0.1, 0.9, 17), np.ones(17)], axis=1).astype(np.float32)
        return [replace(tracklet, keypoints=line[None]) for tracklet in tracklets]


def test_a_picture_is_fitted_undistorted() -> None:
    cell, scale, corner = fit(np.zeros((100, 20, 3), np.uint8), (50, 50))
    assert cell.shape == (50, 50, 3)
    assert (scale, corner.tolist()) == (0.5, [20, 0])
    assert (cell[:, 20:30] == 0).all()
    assert (cell[:, :20] > 200).all()


def test_tiles_are_joined_row_by_row_and_the_last_row_may_be_short() -> None:
    cells = [frame_cell(np.full((20, 10, 3), grey, np.uint8), GREEN, note="0.5") for grey in (0, 50, 100)]
    sheet = join(cells, columns=2)
    height, width = cells[0].shape[:2]
    assert sheet.shape == (2 * (height + 8) + 8, 2 * (width + 8) + 8, 3)
    assert (sheet[8 : 8 + height, 16 + width : 16 + 2 * width] == cells[1]).all()
    assert (sheet[-height - 8 :, 16 + width :] > 200).all()


def test_a_picture_is_written_as_well_as_its_size_allows(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    sizes = []
    for most in (100_000, 30_000):
        write_jpeg(tmp_path / "a.jpg", noise, max_bytes=most)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes[1] <= 30_000 < sizes[0]
    with pytest.raises(ConfigError, match="at most 1000 bytes"):
        write_jpeg(tmp_path / "b.jpg", noise, max_bytes=1000)


def test_the_card_shows_its_picture_once(tmp_path: Path) -> None:
    card = tmp_path / "net.md"
    card.write_text("# net\n")
    for _ in range(2):
        save(np.zeros((8, 8, 3), np.uint8), tmp_path / "net.jpg", caption="All black.")
    assert card.read_text() == "# net\n\n![net](net.jpg)\n\nAll black.\n"


def test_detections_and_retrievals_are_drawn(tmp_path: Path) -> None:
    for number in range(2):
        make_world(tmp_path, number, frames_per_camera=12)
    network = write_reid_onnx(tmp_path / "reid.onnx", hw=(128, 64))
    main([f"data={tmp_path}", "held_out=0.5", f"out={tmp_path}", "of=detector,embedder", f"embedder.weights={network}"])
    for kind in ("detector", "reid"):
        assert cv2.imread(str(tmp_path / f"passerby_{kind}.jpg")) is not None


def test_keypoints_are_drawn_on_the_crops(tmp_path: Path) -> None:
    crop = TrueCrop(np.zeros((96, 48, 3), np.uint8), np.array([0, 0, 48, 96], np.float32), (96, 96), 1, 0, 0, NOWHERE)
    sheet = picture_keypoints(Upright(), [crop, crop])
    assert sheet.shape[0] > 256
    assert (sheet == GREEN).all(axis=2).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["of=detector"], "expected values for data"),
        (["data={}", "of=gallery"], "of: expected some of detector, pose, embedder, got 'gallery'"),
        (["data={}/nowhere"], "expected more worlds"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path: Path, arguments: list[str], message: str) -> None:
    for number in range(2):
        make_world(tmp_path, number, frames_per_camera=1)
    with pytest.raises(ConfigError, match=message):
        main([argument.format(tmp_path) for argument in arguments])


def test_no_person_whom_two_cameras_see_is_an_error(tmp_path: Path) -> None:
    make_world(tmp_path, num_cameras=1)
    network = write_reid_onnx(tmp_path / "reid.onnx", hw=(128, 64))
    with pytest.raises(DataError, match="expected people whom two cameras see"):
        main([f"data={tmp_path}", "held_out=0", "of=embedder", f"embedder.weights={network}", f"out={tmp_path}"])
