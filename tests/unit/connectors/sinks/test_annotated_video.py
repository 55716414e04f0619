import logging
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from factories import make_path, make_sighting

from connectors.pictures.contact_sheet import CROP_HW, choose_crops, cut, draw_sheet
from connectors.pictures.drawing import lettering, paste, person_color
from connectors.sinks.annotated_video import COVER_GREY, AnnotatedVideoSink
from connectors.sinks.final_boxes import FINAL
from pipeline.core import Correction, CorrectionKind, Record, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import NOBODY
from pipeline.ledger.erasure import erase_stores

HW = (240, 320)
BOX = (100.0, 60.0, 140.0, 160.0)
EAST = TrackId("east", 0, 1)
WEST = TrackId("west", 0, 1)


def make_video(path: Path, num_frames: int = 40, hw: tuple[int, int] = HW, noise: bool = False) -> str:
    """Write a grey video at 10 fps; return its path."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = *hw, "yuv420p"
        for index in range(num_frames):
            image = random.integers(0, 255, (*hw, 3), np.uint8) if noise else np.full((*hw, 3), 120, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def make_sink(
    tmp_path: Path, cameras: dict[str, object], max_side_px: int = 1280, masks: dict[str, object] | None = None
) -> AnnotatedVideoSink:
    return AnnotatedVideoSink(
        output_dir=str(tmp_path),
        cameras=cameras,
        max_gap_s=1.0,
        trail_s=1.0,
        max_side_px=max_side_px,
        crf=10,
        threads=1,
        num_crops=2,
        max_people=10,
        masks=masks,
    )


def draw(tmp_path: Path, cameras: dict[str, object], *records: Record, max_side_px: int = 1280) -> Path:
    sink = make_sink(tmp_path, cameras, max_side_px)
    sink.write(records)
    sink.flush()
    sink.close()
    sink.close()
    return tmp_path / "annotated"


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sighting(person_id: int, track_id: TrackId = EAST, first: int = 0, length: int = 20):
    return make_sighting(person_id, track_id, path=make_path(first, length, BOX, frame_hw=HW))


def is_near(pixel: np.ndarray, color: tuple[int, int, int], tolerance: int = 70) -> bool:
    return bool(np.abs(pixel.astype(int) - color).max() < tolerance)


def test_a_box_is_drawn_in_the_colour_of_its_final_person(tmp_path: Path):
    merged = Correction(CorrectionKind.MERGED, (1, 5), "rule", 1.0)
    folder = draw(tmp_path, {"east": make_video(tmp_path / "east.mp4")}, sighting(5), merged)
    frames = decoded(folder / "east.mp4")
    left_edge = frames[10][110, 99:103]
    assert any(is_near(pixel, person_color(1)) for pixel in left_edge)
    assert not is_near(frames[10][110, 120], person_color(1))


def test_videos_end_soon_after_the_last_person_was_seen_in_any_camera(tmp_path: Path):
    cameras = {name: make_video(tmp_path / f"{name}.mp4") for name in ("east", "west")}
    folder = draw(tmp_path, cameras, sighting(1), sighting(1, WEST, length=5))
    # Frames 0 to 19, and ten more while the trajectory fades.
    assert [len(decoded(folder / f"{name}.mp4")) for name in cameras] == [30, 30]


def test_a_video_keeps_the_pace_of_its_recording(tmp_path: Path):
    folder = draw(tmp_path, {"east": make_video(tmp_path / "east.mp4")}, sighting(1))
    with av.open(str(folder / "east.mp4")) as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert np.diff(times) == pytest.approx(0.1, abs=1e-3)


OTHER_BOX = (200.0, 60.0, 240.0, 160.0)


def two_people() -> list[Record]:
    return [
        make_sighting(1, EAST, 0, make_path(0, length=20, box=BOX, frame_hw=HW)),
        make_sighting(2, TrackId("east", 0, 2), 0, make_path(0, length=30, box=OTHER_BOX, frame_hw=HW)),
    ]


def is_covered(folder: Path, index: int, box: tuple[float, ...]) -> bool:
    """Return whether the middle of a box is grey in a frame of a film of noise."""
    left, top, right, bottom = map(int, box)
    middle = decoded(folder / "east.mp4")[index][top + 20 : bottom - 20, left + 10 : right - 10]
    return bool(abs(float(middle.mean()) - COVER_GREY) < 4 and middle.std() < 12)


ERASED = Correction(CorrectionKind.ERASED, (1,), "ann", 9.0, (TrackPart(EAST, 0),))


def test_a_person_who_was_erased_is_covered_in_the_film(tmp_path: Path):
    east = make_video(tmp_path / "east.mp4", noise=True)
    folder = draw(tmp_path, {"east": east}, *two_people(), ERASED)
    assert is_covered(folder, 10, BOX)
    assert not is_covered(folder, 10, OTHER_BOX)
    assert not is_covered(folder, 25, BOX)  # nobody stands there any more


def test_a_person_who_is_erased_after_the_run_stays_covered_however_often_the_film_is_written(tmp_path: Path):
    cameras: dict[str, object] = {"east": make_video(tmp_path / "east.mp4", noise=True)}
    folder = draw(tmp_path, cameras, *two_people())
    assert not is_covered(folder, 10, BOX)
    erase_stores(folder, ERASED.parts)
    assert str(EAST).encode() not in (folder / "boxes.sqlite").read_bytes()
    for _ in range(2):
        sink = make_sink(tmp_path, cameras)
        sink.re_export(lambda part: 2 if part.track_id.number == 2 else NOBODY)
        sink.close()
        assert is_covered(folder, 10, BOX)
        assert not is_covered(folder, 10, OTHER_BOX)


def test_a_large_frame_is_scaled_to_even_sides(tmp_path: Path):
    video = make_video(tmp_path / "east.mp4", hw=(242, 322))
    folder = draw(tmp_path, {"east": video}, sighting(1, length=3), max_side_px=161)
    assert decoded(folder / "east.mp4")[0].shape == (120, 160, 3)


def test_the_sheet_shows_all_people_with_footage(tmp_path: Path):
    cameras = {name: make_video(tmp_path / f"{name}.mp4", 10) for name in ("east", "west")}
    folder = draw(tmp_path, cameras, sighting(1, length=8), sighting(2, WEST, length=8))
    sheet = cv2.imread(str(folder / "people.jpg"))
    assert sheet.shape[0] > 2 * CROP_HW[0]
    assert sheet.shape[1] > 4 * CROP_HW[1]


def test_a_live_camera_is_left_out_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    cameras = {"east": make_video(tmp_path / "east.mp4", 10), "door": "rtsp://u:p@10.0.0.1/s", "hall": 0}
    folder = draw(tmp_path, cameras, sighting(1, length=5), sighting(1, TrackId("door", 0, 1)))
    assert sorted(path.name for path in folder.iterdir()) == ["boxes.sqlite", "east.mp4", "people.jpg"]
    assert [record.getMessage() for record in caplog.records if "read again" in record.getMessage()] == [
        "camera door: its frames cannot be read again, no video is drawn",
        "camera hall: its frames cannot be read again, no video is drawn",
    ]


@pytest.mark.slow
def test_a_recording_that_is_cut_off_gives_a_video_up_to_there(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    whole = tmp_path / "east.mkv"
    make_video(whole, noise=True)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    folder = draw(tmp_path, {"east": str(broken)}, sighting(1, length=40))
    assert 5 < len(decoded(folder / "east.mp4")) < 35
    assert "is cut off" in caplog.text


def test_nothing_is_drawn_if_no_person_was_seen(tmp_path: Path):
    assert list(draw(tmp_path, {"east": make_video(tmp_path / "east.mp4")}).glob("*.mp4")) == []


def test_options_of_the_source_apply_to_the_video(tmp_path: Path):
    camera = {"uri": make_video(tmp_path / "east.mp4", 10), "crop_xyxy": [0, 0, 160, 200]}
    folder = draw(tmp_path, {"east": camera}, sighting(1, length=5))
    assert decoded(folder / "east.mp4")[0].shape == (200, 160, 3)


def test_a_folder_of_images_gives_a_video_too(tmp_path: Path):
    (tmp_path / "east").mkdir()
    for number in range(1, 9):
        cv2.imwrite(str(tmp_path / "east" / f"{number:06}.png"), np.full((*HW, 3), 120, np.uint8))
    folder = draw(tmp_path, {"east": str(tmp_path / "east")}, sighting(1, length=5))
    assert len(decoded(folder / "east.mp4")) == 8


def test_a_camera_whose_name_cannot_be_a_file_name_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"site\.cameras"):
        draw(tmp_path, {"../east": "east.mp4"})


def test_the_colour_of_a_person_is_constant_and_unlike_its_neighbours():
    colors = np.array([person_color(person_id) for person_id in range(1, 13)])
    apart = np.abs(colors[:, None].astype(int) - colors[None]).max(axis=2) + 999 * np.eye(12, dtype=int)
    assert apart.min() > 25
    assert person_color(3) == person_color(3)


def test_text_that_leaves_the_image_is_cut_off():
    image = np.zeros((20, 20, 3), np.uint8)
    stamp = lettering("12", font_px=30, ink=(255, 255, 255), background=(255, 0, 0), padding_px=4)
    for left, top in [(-10, -10), (15, 15), (100, 0), (0, -100)]:
        paste(image, stamp, left=left, top=top)
    assert image[0, 0, 0] > 200


def test_crops_are_chosen_complete_unoccluded_and_spread_over_time():
    rows = [(index, 1, index / 10, (50, 50, 90, 150), 0.9, False) for index in range(9)]
    # A better score, but cut by the border; or occluded by another person; or interpolated.
    rows[1] = (1, 1, 0.1, (0, 50, 40, 150), 1.0, False)
    rows[4] = (4, 1, 0.4, (50, 50, 90, 150), 1.0, False)
    rows.insert(5, (4, 2, 0.4, (60, 50, 100, 150), 0.9, False))
    boxes = np.array(rows, FINAL)
    boxes["is_filled"][-1] = True
    places = [place for place in choose_crops("east", boxes, frame_hw=HW, num_crops=2) if place.person_id == 1]
    assert [place.index for place in places] == [0, 5]


def test_a_crop_is_widened_and_not_distorted():
    image = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(image, (100, 100), 15, (255, 255, 255), -1)
    crop = cut(image, np.array([95, 50, 105, 150], np.float32))
    _, _, width, height = cv2.boundingRect((crop[:, :, 0] > 127).astype(np.uint8))
    assert crop.shape == (*CROP_HW, 3)
    assert abs(width - height) <= 1
    assert width == pytest.approx(31 * CROP_HW[0] / 106, abs=2)


def test_a_crop_at_the_edge_has_the_same_size():
    crop = cut(np.zeros((50, 50, 3), np.uint8), np.array([40, 40, 80, 120], np.float32))
    assert crop.shape == (*CROP_HW, 3)


def test_people_seen_in_more_cameras_are_preferred_when_there_is_no_room_for_all():
    crop = np.zeros((*CROP_HW, 3), np.uint8)
    crops = {(1, "east"): [crop], (2, "east"): [crop], (2, "west"): [crop]}
    seen_s = {1: 90.0, 2: 3.0}
    both = draw_sheet(crops, ["east", "west"], seen_s, num_crops=1, max_people=2)
    one = draw_sheet(crops, ["east", "west"], seen_s, num_crops=1, max_people=1)
    assert both.shape[0] > one.shape[0]
    assert (one == person_color(2)).all(axis=2).any()
    assert not (one == person_color(1)).all(axis=2).any()


def test_what_a_mask_covers_is_in_no_film_and_in_none_that_is_written_again(tmp_path: Path) -> None:
    video = make_video(tmp_path / "east.mp4", noise=True)
    left = {"camera": "east", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "relative": True}
    sink = make_sink(tmp_path / "out", {"east": video}, masks={"left": left})
    sink.write([make_sighting(1, TrackId("east", 0, 1), path=make_path(0, 10))])
    sink.flush()
    sink.close()
    film = tmp_path / "out/annotated/east.mp4"

    def contrast() -> tuple[float, float]:
        with av.open(str(film)) as container:
            image = next(container.decode(video=0)).to_ndarray(format="gray")
        return float(image[110:190, :60].std()), float(image[110:190, -60:].std())

    covered, other = contrast()
    assert covered < 8 < 20 < other
    film.unlink()
    again = make_sink(tmp_path / "out", {"east": video})  # by a configuration that has no mask any more
    again.re_export(lambda part: 1)
    again.close()
    assert contrast()[0] < 8
