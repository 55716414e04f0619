"""Privacy masks: what they cover is seen by nobody."""

from pathlib import Path

import numpy as np
import pytest
from clips import FPS, make_clip

from connectors.sources.memory import MemorySource
from connectors.sources.video_file import VideoFileSource
from pipeline.camera.privacy_mask import GREY, Mask, MaskedSource, masked, parse_masks
from pipeline.config.cameras import plan_cameras
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError
from pipeline.core.interfaces import PacketSource

HALF = {"camera": "east", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "relative": True}


def white(height: int = 40, width: int = 60) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


def test_what_is_inside_is_covered_and_the_rest_stays() -> None:
    (mask,) = parse_masks({"yard": HALF})["east"]
    image = white()
    covered = masked(image, [mask])
    assert (covered[:, :31] == GREY).all(), "with its edges"
    assert (covered[:, 31:] == 255).all()
    assert (image == 255).all(), "the picture itself stays as it is"


def test_corners_in_pixels_hold_as_they_are() -> None:
    covered = masked(white(), [Mask("yard", ((10, 10), (20, 10), (20, 20), (10, 20)), is_relative=False)])
    assert (covered[10:21, 10:21] == GREY).all()
    assert covered[..., 0].sum() == 255 * 40 * 60 - (255 - GREY) * 11 * 11


def test_a_mask_in_pixels_covers_the_same_part_where_the_picture_changes_its_size() -> None:
    frames = [
        Frame(FrameStamp("east", index, float(index)), white(*hw)) for index, hw in enumerate([(40, 60), (80, 120)])
    ]
    (mask,) = parse_masks({"yard": {"camera": "east", "polygon": [[30, 0], [60, 0], [60, 40], [30, 40]]}})["east"]
    small, large = MaskedSource(lambda: MemorySource("east", frames), [mask]).frames()
    assert (small.image[:, 30:] == GREY).all()
    assert (large.image[:, 60:] == GREY).all()
    assert (large.image[:, :60] == 255).all()


def test_several_masks_of_one_camera_all_hold_and_those_of_others_do_not() -> None:
    blocks = {
        "left": HALF,
        "right": {**HALF, "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]},
        "else": {**HALF, "camera": "west"},
    }
    assert (masked(white(), parse_masks(blocks)["east"]) == GREY).all()
    assert len(parse_masks(blocks)["west"]) == 1


def test_a_mask_outside_of_the_picture_is_an_error_and_no_silence() -> None:
    (mask,) = parse_masks({"yard": {"camera": "east", "polygon": [[100, 0], [120, 0], [120, 9]]}})["east"]
    with pytest.raises(ConfigError, match=r"site\.masks\.yard: expected corners in a picture of 60x40"):
        masked(white(), [mask])


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({**HALF, "polygon": [[0, 0], [1, 1]]}, r"site\.masks\.yard\.polygon: expected .* three corners"),
        ({**HALF, "polygon": [[0, 0], [2, 0], [1, 1]]}, "shares from 0 to 1"),
        ({**HALF, "polygon": [[0, 0], [-1, 0], [1, 1]], "relative": False}, "pixels from 0 on"),
        ({**HALF, "relative": "yes"}, r"site\.masks\.yard\.relative: expected true or false"),
        ({**HALF, "max_dwell_s": 3}, r"site\.masks\.yard: expected camera, polygon"),
        ({"polygon": [[0, 0], [1, 0], [1, 1]]}, r"site\.masks\.yard: expected camera, polygon"),
        ({**HALF, "camera": "moon"}, r"site\.masks\.yard\.camera: expected one of \['east'\], got moon"),
        ({**HALF, "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}, r"edges that do not cross"),
    ],
)
def test_what_is_no_mask_is_refused_with_the_key(tmp_path: Path, block: dict[str, object], words: str) -> None:
    config = load_config([f"output_dir={tmp_path}", "sink=[]", f"site.cameras={{east: {tmp_path / 'a.mp4'}}}"])
    config.site.masks = {"yard": block}
    with pytest.raises(ConfigError, match=words):
        make_plan(config)


def test_a_camera_with_a_mask_shows_no_frame_and_no_packet_without_it(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "east.mp4", 2 * FPS)
    config = load_config([f"output_dir={tmp_path}", f"site.cameras={{east: {video}, west: {video}}}"])
    config.site.masks = {"yard": HALF}
    cameras = plan_cameras(config)
    source = cameras.make_sources["east"]()
    frames = list(source.frames())
    source.close()
    assert len(frames) == 2 * FPS
    for frame in frames:
        assert (frame.image[:, : frame.size_hw[1] // 2] == GREY).all()
    assert not isinstance(source, PacketSource), "packets show what is covered"
    assert isinstance(cameras.make_sources["west"](), PacketSource), "a camera without a mask is as before"


def test_a_source_goes_on_behind_its_masks(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "east.mp4", 2 * FPS)
    source = MaskedSource(lambda: VideoFileSource("east", str(video)), parse_masks({"yard": HALF})["east"])
    source.check()
    first = next(iter(source.frames())).stamp
    source.resume(first)
    assert next(iter(source.frames())).stamp.index == first.index + 1
    source.ack(first)
    assert (source.num_dropped, source.num_bad, source.live) == (0, 0, False)
    assert source.report() is not None
    source.close()


def test_a_main_stream_that_is_recorded_beside_is_refused(tmp_path: Path) -> None:
    streams = "{detect: 'rtsp://10.0.0.1/sub', record: 'rtsp://10.0.0.1/main'}"
    config = load_config([f"output_dir={tmp_path}", f"site.cameras={{east: {streams}}}"])
    config.site.masks = {"yard": HALF}
    with pytest.raises(ConfigError, match=r"site\.cameras\.east\.record: records what site\.masks\.yard covers"):
        plan_cameras(config)
