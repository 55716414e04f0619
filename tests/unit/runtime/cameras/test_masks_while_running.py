"""Masks that are drawn while a run goes on cover from the next frame on, whatever sees the frames."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from camera_parts import FakePipeline, make_actor
from clips import FPS, make_clip

from connectors.footage.segment_monitor import SegmentMonitor
from connectors.footage.segments import Segment
from connectors.sources.memory import MemorySource
from pipeline.camera.privacy_mask import GREY, Mask, check_masks
from pipeline.cli.cameras.mask_edits import MaskEdits
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.core import Frame, FrameStamp, edits_file
from pipeline.core.errors import ConfigError, ProcessLostError
from pipeline.ledger import Ledger, LedgerReader
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.cameras.camera_clock import CameraClock
from pipeline.runtime.cameras.paced_frames import PacedFrames
from pipeline.runtime.cameras.restarting_camera import RestartingCamera

LEFT = Mask("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), is_relative=True)
FAR = Mask("far", ((900.0, 0.0), (990.0, 0.0), (990.0, 90.0)), is_relative=False)


def white_frames(count: int = 6, hw: tuple[int, int] = (40, 60)) -> list[Frame]:
    image = np.full((*hw, 3), 255, np.uint8)
    return [Frame(FrameStamp("east", index, index / 10), image) for index in range(count)]


def make_paced(frames: Sequence[Frame]) -> PacedFrames:
    clock = CameraClock("east", behind_s=10.0)
    return PacedFrames(MemorySource("east", frames), input_hw=(40, 60), speed=inf, clock=clock)


def is_covered(frame: Frame) -> bool:
    half = frame.size_hw[1] // 2
    return bool((frame.image[:, :half] == GREY).all() and (frame.image[:, half + 1 :] == 255).all())


def test_from_the_next_frame_on_neither_detector_nor_monitor_sees_what_is_covered() -> None:
    paced = make_paced(white_frames())
    frames = paced.read()
    assert (next(frames).frame.image == 255).all()
    paced.cover([LEFT])
    covered = next(frames)
    assert is_covered(covered.frame)
    assert (covered.prepared.image[:, :30] == GREY).all(), "what the detector gets"
    paced.cover([])
    assert (next(frames).frame.image == 255).all(), "taken away again"


def test_a_picture_of_another_size_is_covered_where_the_first_one_was() -> None:
    paced = make_paced([*white_frames(1), *white_frames(3, hw=(80, 120))[1:]])
    frames = paced.read()
    next(frames)
    paced.cover([Mask("left", ((0.0, 0.0), (30.0, 0.0), (30.0, 40.0), (0.0, 40.0)), is_relative=False)])
    assert is_covered(next(frames).frame)


def test_a_mask_outside_of_the_picture_is_refused_and_the_others_stay() -> None:
    paced = make_paced(white_frames())
    frames = paced.read()
    next(frames)
    paced.cover([LEFT])
    with pytest.raises(ConfigError, match=r"site\.masks\.far: expected corners in a picture of 60x40"):
        paced.cover([LEFT, FAR])
    assert is_covered(next(frames).frame)


def test_a_mask_outside_that_was_drawn_before_the_first_frame_is_said_and_the_others_cover(
    caplog: pytest.LogCaptureFixture,
) -> None:
    paced = make_paced(white_frames())
    paced.cover([FAR, LEFT])
    assert [is_covered(each.frame) for each in paced.read()] == [True] * 6
    assert caplog.text.count("camera east: mask far lies outside of the picture") == 1


def test_a_view_that_a_mask_changes_is_no_camera_that_was_turned() -> None:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 255, (12, 16), np.uint8), np.ones((10, 10), np.uint8))
    image[:, 80:] = 100 + image[:, 80:] // 8  # what there is to recognise is on the left
    frames = []
    for index in range(150):
        shown = np.repeat(image[:, :, None], 3, axis=2)
        shown[index % 100, 100:] = 0  # the camera is not frozen
        frames.append(Frame(FrameStamp("east", index, index / 5), shown))
    paced = make_paced(frames)
    for paced_frame in paced.read():
        if paced_frame.frame.stamp.index == 50:
            paced.cover([LEFT])
    assert paced.view.events == ()


class Process:
    """A camera actor as in another process, which may die at once."""

    def __init__(self, actor: CameraActor, *, dies: bool) -> None:
        self.actor, self._dies = actor, dies

    async def call(self, method: str, *arguments: Any) -> Any:
        if method == "run" and self._dies:
            raise ProcessLostError("camera east")
        return await getattr(self.actor, method)(*arguments)


def test_a_new_process_covers_what_was_covered() -> None:
    begun: list[Process] = []

    def start() -> Process:
        actor = make_actor(MemorySource("east", white_frames()), FakePipeline())
        begun.append(Process(actor, dies=not begun))
        return begun[-1]

    async def main() -> None:
        camera = RestartingCamera("camera east", start, max_restarts=1, checkpoint_every_s=0.0)
        await camera.cover([LEFT])
        await asyncio.wait_for(camera.run(), 60)

    asyncio.run(main())
    assert [each.actor._paced._masks for each in begun] == [(LEFT,), (LEFT,)]


def test_video_is_encoded_from_covered_pictures_once_packets_would_show_what_is_covered(tmp_path: Path) -> None:
    stored: list[Segment] = []

    def store(segments: Iterator[Segment]) -> None:
        stored.extend(segments)

    options = {"bf": "0", "g": "5"}
    video = make_clip(tmp_path / "east.mp4", 4 * FPS, codec_options=options)
    monitor = SegmentMonitor("east", store, purpose="test", max_side_px=640, blur_heads=False)
    tap = monitor.packet_tap()
    assert tap is not None
    with av.open(str(video)) as container:
        for number, packet in enumerate(each for each in container.demux(video=0) if each.size):
            at = number / FPS
            if number == 2 * FPS:
                tap.end()
            tap.packet(packet)
            tap.shown(at, at)
            grey = np.full((120, 160, 3), GREY, np.uint8)
            monitor.show(Frame(FrameStamp("east", number, at), grey), {})
    monitor.close()
    assert min(segment.since for segment in stored) < 1
    assert max(segment.until for segment in stored) > 3
    for segment in stored:
        (tmp_path / "segment.ts").write_bytes(segment.data)
        with av.open(str(tmp_path / "segment.ts")) as container:
            pictures = [each.to_ndarray(format="gray") for each in container.decode(video=0)]
        spreads = [float(picture.std()) for picture in pictures]
        assert (max(spreads) < 6) == (segment.since >= 2 - 1e-3), "no picture from behind the mask was copied"


class AnyCamera:
    """Knows what it is to cover; its picture has 60x40 pixels."""

    def __init__(self) -> None:
        self.covered: list[tuple[Mask, ...]] = []

    async def cover(self, masks: Sequence[Mask]) -> None:
        check_masks(masks, (40, 60))
        self.covered.append(tuple(masks))


@pytest.fixture
def edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MaskEdits:
    monkeypatch.setattr(edits_file, "EVERY_S", 0.0)
    Ledger(tmp_path / "ledger.sqlite").close()
    cameras = f"site.cameras={{east: {tmp_path / 'a.mp4'}, west: {tmp_path / 'b.mp4'}}}"
    config = load_config(["site=empty", cameras, f"output_dir={tmp_path}", "sink=[]"])
    found = MaskEdits(config, make_plan(config, has_detector=False))
    found.config = config  # type: ignore[attr-defined]
    return found


def save(edits: MaskEdits, **masks: object) -> None:
    text = yaml.safe_dump({"site": {"masks": masks}})
    unfinished = edits._file.path.with_suffix(".part")
    unfinished.write_text(text)
    unfinished.replace(edits._file.path)


def block(mask: Mask, camera: str) -> dict[str, object]:
    return {"camera": camera, "polygon": [list(point) for point in mask.polygon], "relative": mask.is_relative}


def notes(folder: Path) -> list[tuple[str, str]]:
    with closing(LedgerReader(folder / "ledger.sqlite")) as reader:
        return [(each.action, each.subject) for each in reader.audit() if each.by == "configuration"]


def test_edited_masks_reach_the_cameras_that_they_are_of_and_the_audit_says_so(
    edits: MaskEdits, tmp_path: Path
) -> None:
    east, west = AnyCamera(), AnyCamera()
    config = edits.config  # type: ignore[attr-defined]

    def follow(**cameras: AnyCamera) -> object:
        return asyncio.run(edits.follow(config, cameras or {"east": east, "west": west}))  # type: ignore[arg-type]

    assert follow() is None
    save(edits, left=block(LEFT, "east"))
    assert list(follow()) == ["left"]  # type: ignore[call-overload]
    assert (east.covered, west.covered) == ([(LEFT,)], [])
    assert follow() is None
    assert len(east.covered) == 1
    again = AnyCamera()
    follow(east=again, west=west)
    assert again.covered == [(LEFT,)], "a camera that was added anew"
    save(edits, left=block(LEFT, "east"), far=block(FAR, "west"))
    follow(east=again, west=west)
    assert west.covered == []
    save(edits, left={"camera": "moon"})
    assert follow(east=again, west=west) is None, "the rules are refused as a whole"
    save(edits)
    follow(east=again, west=west)
    assert again.covered[-1] == ()
    told = [action for action, _ in notes(tmp_path)]
    assert told == ["masks applied", "masks refused", "masks applied"]
    assert notes(tmp_path)[1][1].startswith("site.masks.far: expected corners in a picture of 60x40")
