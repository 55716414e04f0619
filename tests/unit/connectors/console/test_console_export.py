"""Short films of a person, and the zip of what is kept of them."""

import io
import json
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from console_page import RunningPage
from factories import make_frame, make_stamp

from connectors.console.camera.clips import FRAME_HW, MAX_FRAMES, ClipBuffer
from connectors.console.store.accounts import Role
from connectors.console.store.export import ENLARGED, film_of
from connectors.console.store.journey import BAR_PX, journey_film
from connectors.console.store.pictures import Clip
from pipeline.core import Frame, TrackId, TrackPart

ANN, BEA = TrackId("east", 0, 1), TrackId("east", 0, 2)
BOX = np.array([60, 20, 90, 100], np.float32)


def frame(index: int) -> Frame:
    return make_frame(make_stamp(index=index, captured_at=index / 10))


def clip(part: TrackPart, first_at: float, heads: tuple = ()) -> Clip:
    checks = np.indices((FRAME_HW[0], 2 * FRAME_HW[1])).sum(axis=0) // 4 % 2 * 255
    jpeg = bytes(cv2.imencode(".jpg", np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8))[1])
    return Clip(part, (first_at, first_at + 0.5), jpeg, (heads, heads))


def pictures_of(film: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(film)) as container:
        return [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]


def test_a_clip_has_a_few_frames_a_second() -> None:
    buffer = ClipBuffer(2.0)
    for index in range(11):
        buffer.see(frame(index), {ANN: BOX})
    taken = buffer.take(ANN)
    assert taken is not None
    assert taken.captured_at == [0.0, 0.5, 1.0]
    assert {image.shape for image in taken.frames} == {(*FRAME_HW, 3)}
    assert buffer.take(ANN) is None


def test_a_clip_is_bounded_and_a_rate_of_zero_keeps_none() -> None:
    buffer, none = ClipBuffer(10.0), ClipBuffer(0.0)
    for index in range(10 * MAX_FRAMES):
        buffer.see(frame(index), {ANN: BOX})
        none.see(frame(index), {ANN: BOX})
    taken = buffer.take(ANN)
    assert taken is not None
    assert len(taken.frames) == MAX_FRAMES
    assert none.take(ANN) is None


def test_a_clip_knows_where_the_heads_of_others_are() -> None:
    buffer = ClipBuffer(10.0)
    buffer.see(frame(0), {ANN: BOX, BEA: BOX + np.float32([10, 0, 10, 0])})
    taken = buffer.take(ANN)
    assert taken is not None
    ((head,),) = taken.heads_xyxy
    assert head[0] < head[2]
    assert head[1] < head[3] < 0.5


def test_heads_of_others_are_unrecognisable_in_a_film() -> None:
    part = TrackPart(ANN, 0)
    plain, hidden = (pictures_of(film_of([clip(part, 0.0, heads)])) for heads in ((), ((0.0, 0.0, 1.0, 0.5),)))
    assert [len(plain), len(hidden)] == [2, 2]
    assert plain[0].shape == (FRAME_HW[0] * ENLARGED, FRAME_HW[1] * ENLARGED, 3)
    half = plain[0].shape[0] // 2
    assert plain[0][: half - 16].std() > 40
    assert hidden[0][: half - 16].std() < 10
    assert hidden[0][half + 16 :].std() > 40


def test_an_export_has_a_film_of_each_track_and_erasing_deletes_the_clips(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page, page.client("ann") as client:
        page.add_pictures()
        east, west = TrackId("east", 0, 1), TrackId("west", 0, 1)
        parts = [TrackPart(east, 0), TrackPart(east, 1), TrackPart(west, 0)]
        for part in parts:
            page.state.pictures.put_clip(clip(part, 10.0 * part.part))
        with zipfile.ZipFile(io.BytesIO(client.get("/api/people/1/export.zip").content)) as archive:
            films = [name for name in archive.namelist() if name.startswith("clips/")]
            record = json.loads(archive.read("record.json"))
            assert [len(pictures_of(archive.read(name))) for name in films] == [4, 2]
        about = [each for each in record["files"] if each["file"] in films]
        assert [(each["track"], each["parts"]) for each in about] == [("east/0/1", [0, 1]), ("west/0/1", [0])]
        client.post("/api/people/1/erase", json={"number": 1})
        assert [page.state.pictures.clip(part) for part in parts] == [None] * 3


def test_a_journey_is_one_film_over_the_cameras_without_the_time_between(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page:
        for part, first_at in ((TrackPart(TrackId("west", 0, 1), 0), 100.0), (TrackPart(ANN, 0), 0.0)):
            page.state.pictures.put_clip(clip(part, first_at))
        with page.client("ann") as client, page.client("bob", Role.VIEWER) as viewer:
            answer = client.get("/api/people/1/journey.mp4")
            with av.open(io.BytesIO(answer.content)) as container:
                times = [picture.time for picture in container.decode(video=0)]
            assert times == pytest.approx([0.0, 0.5, 1.5, 2.0], abs=0.05)
            assert client.get("/api/people/3/journey.mp4").status_code == 404
            assert viewer.get("/api/people/1/journey.mp4").status_code == 403
        with page.client("mia", Role.OPERATOR, ("west",)) as client:
            assert len(pictures_of(client.get("/api/people/1/journey.mp4").content)) == 2
        audit = [(entry.action, entry.subject) for entry in page.state.ledger_view.audit()]
        assert ("export", "journey of person 1") in audit


def test_a_bar_says_camera_and_time_in_a_journey() -> None:
    film = journey_film([clip(TrackPart(ANN, 0), 62.5, heads=((0.0, 0.0, 1.0, 1.0),))])
    first, second = pictures_of(film)
    assert first[:BAR_PX].std() > 10  # letters
    assert np.abs(first[:BAR_PX].astype(int) - second[:BAR_PX]).max() > 60  # another time
    assert first[BAR_PX + 40 :].std() < 20  # the chessboard that stands for the head of another is gone
