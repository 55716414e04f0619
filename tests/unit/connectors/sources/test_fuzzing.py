"""Recordings that are damaged at random: no crash, no hang, no silent loss.

For longer: ``PASSERBY_FUZZ_S=600 pytest -n 0 tests/unit/connectors/sources/test_fuzzing.py``.
"""

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import FPS, make_clip, picture

from connectors.sources.images import ImagesSource
from connectors.sources.video_file import VideoFileSource
from pipeline.core import Source
from pipeline.core.errors import ConfigError, SourceLostError

FUZZ_S = float(os.environ.get("PASSERBY_FUZZ_S", "0"))
NUM_ROUNDS = 4
TIMEOUT_S = 60.0
NUM_FRAMES = 30

CODECS = {
    "mp4": ("libx264", "yuv420p"),
    "mkv": ("libx264", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "ts": ("libx264", "yuv420p"),
    "flv": ("libx264", "yuv420p"),
    "webm": ("libvpx", "yuv420p"),
    "mov": ("mjpeg", "yuvj420p"),
    "mpg": ("mpeg2video", "yuv420p"),
    "asf": ("wmv2", "yuv420p"),
    "3gp": ("libx264", "yuv420p"),
    "m2ts": ("libx265", "yuv420p"),
    "wmv": ("libx264", "yuv420p"),
    "ogv": ("libvpx", "yuv420p"),
    "nut": ("mpeg4", "yuv420p"),
    "mxf": ("mpeg2video", "yuv420p"),
    "gif": ("gif", "rgb8"),
    "apng": ("apng", "rgb24"),
    "h264": ("libx264", "yuv420p"),
}

JUST_END = ("ts", "m2ts", "mpg", "nut", "h264")
"""Kinds of files that do not say where they end."""

SHOW_NO_LOSS = ("h264", "asf", "wmv")
"""Kinds of files in which nothing shows that a picture is missing; that is said when they are opened."""

MAX_UNSEEN = 3
"""Pictures that may be missing at the very end without a word, where the header has only a duration."""

Damage = Callable[[random.Random, Path], None]


def flip_bytes(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 40)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)


def zero_a_part(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    begin = rng.randrange(len(data))
    length = min(rng.randint(1, 5000), len(data) - begin)
    data[begin : begin + length] = bytes(length)
    path.write_bytes(data)


def cut_a_part_out(rng: random.Random, path: Path) -> None:
    data = path.read_bytes()
    begin = rng.randrange(len(data))
    path.write_bytes(data[:begin] + data[begin + rng.randint(1, 5000) :])


def cut_the_end(rng: random.Random, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(1, len(data))])


def shuffle_stamps(rng: random.Random, path: Path) -> None:
    """Write the packets again, some dropped, with times that are off, doubled or missing."""
    other = path.with_name(f"other{path.suffix}")
    with av.open(str(path)) as source, av.open(str(other), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        shift = 0
        for packet in source.demux(stream):
            if not packet.size or rng.random() < 0.1:
                continue
            if rng.random() < 0.1:
                shift = rng.choice([0, 1, int(rng.uniform(0, 40_000) / (stream.time_base or Fraction(1, 90_000)))])
            packet.stream = copied
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            try:
                target.mux(packet)
            except (av.error.FFmpegError, OSError):
                continue
    other.replace(path)


VIDEO_DAMAGES: list[Damage] = [flip_bytes, zero_a_part, cut_a_part_out, cut_the_end, shuffle_stamps]


def read(source: Source) -> tuple[int, str | None]:
    """Return how many frames a source gave and its error; it must end in time, with times that ascend."""
    found: list[float] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for frame in source.frames():
                found.append(frame.stamp.captured_at)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive(), "it hangs"
    assert (np.diff(found) > 0).all()
    for error in errors:
        assert isinstance(error, SourceLostError), repr(error)
    return len(found), str(errors[0]) if errors else None


def fuzz(make: Callable[[random.Random], None]) -> None:
    """Repeat with seeds 0, 1, 2 and so on."""
    began = time.monotonic()
    seed = 0
    while seed < NUM_ROUNDS or time.monotonic() - began < FUZZ_S / (len(CODECS) + 1):
        make(random.Random(seed))
        seed += 1
    print(f"{seed} seeds")


@pytest.mark.parametrize("ending", list(CODECS))
def test_a_damaged_video_ends_and_every_frame_is_accounted_for(tmp_path: Path, ending: str) -> None:
    codec, pix_fmt = CODECS[ending]
    sound = make_clip(
        tmp_path / f"sound.{ending}",
        NUM_FRAMES,
        25 if ending == "mxf" else FPS,  # no other rate is allowed there
        noisy=True,
        codec=codec,
        pix_fmt=pix_fmt,
        file_format="asf" if ending == "wmv" else None,
    )
    path = tmp_path / f"clip.{ending}"

    num_damaged = num_short = 0

    def once(rng: random.Random) -> None:
        path.write_bytes(sound.read_bytes())
        damage = rng.choice(VIDEO_DAMAGES)
        damage(rng, path)
        source = VideoFileSource("east", str(path))
        num_frames, error = read(source)
        is_said = error is not None or bool(source.report().left_out or source.report().gaps)
        just_ends = ending in SHOW_NO_LOSS or (damage is cut_the_end and ending in JUST_END)
        if not is_said and not just_ends and damage is not shuffle_stamps:
            num_unseen = NUM_FRAMES - num_frames - source.num_bad
            assert num_unseen <= MAX_UNSEEN, (num_frames, source.num_bad)
            nonlocal num_damaged, num_short
            num_damaged, num_short = num_damaged + 1, num_short + (num_unseen > 0)
        try:
            source.check()
        except ConfigError:
            assert num_frames == 0
        if error is None:
            with av.open(f"file:{path}", metadata_errors="replace") as container:
                stream = container.streams.best("video")
                assert stream is not None
                num_in = 0
                with suppress(av.error.FFmpegError):  # the source goes on behind damage that the container reports
                    for packet in container.demux(stream):
                        num_in += packet.size > 0
            assert num_frames + source.num_bad >= num_in, (num_frames, source.num_bad, num_in)

    fuzz(once)
    print(f"{ending}: of {num_damaged} read to their end, {num_short} are short by up to {MAX_UNSEEN} without a word")


@pytest.mark.parametrize("seed", [16, 19, 23, 36])
def test_a_picture_of_mpeg_2_that_the_decoder_drops_without_a_word_is_bad(tmp_path: Path, seed: int) -> None:
    path = make_clip(tmp_path / "clip.mpg", num_frames=NUM_FRAMES, noisy=True, codec="mpeg2video")
    rng = random.Random(seed)
    rng.choice(VIDEO_DAMAGES)(rng, path)
    source = VideoFileSource("east", str(path))
    num_frames, _ = read(source)
    assert source.num_bad > 0
    with av.open(str(path)) as container:
        assert num_frames + source.num_bad >= sum(1 for packet in container.demux(video=0) if packet.size)


def test_a_picture_of_mpeg_4_that_the_decoder_drops_without_a_word_is_bad(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.avi", num_frames=NUM_FRAMES, noisy=True, codec="mpeg4")
    rng = random.Random(367)
    rng.choice(VIDEO_DAMAGES)(rng, path)
    source = VideoFileSource("east", str(path))
    num_frames, _ = read(source)
    assert (num_frames, source.num_bad) == (29, 1)


def test_a_picture_of_vp8_that_damage_has_hidden_is_bad(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.webm", num_frames=NUM_FRAMES, noisy=True, codec="libvpx")
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][14]
    data = bytearray(path.read_bytes())
    assert packet.pos is not None
    begin = data.find(bytes(packet), packet.pos)
    data[begin] &= 0xFF - 0x10
    path.write_bytes(data)
    source = VideoFileSource("east", str(path))
    frames = list(source.frames())
    assert [frame.stamp.index for frame in frames] == [index for index in range(NUM_FRAMES) if index != 14]
    assert source.num_bad == 1


def test_a_folder_of_damaged_images_ends_and_every_image_is_accounted_for(tmp_path: Path) -> None:
    endings = ("jpg", "png", "bmp", "webp", "tif")

    def once(rng: random.Random) -> None:
        for index in range(10):
            path = tmp_path / f"{index}.{endings[index % len(endings)]}"
            cv2.imwrite(str(path), np.ascontiguousarray(picture(index)[:, :, ::-1]))
            if rng.random() < 0.4:
                rng.choice(VIDEO_DAMAGES[:-1])(rng, path)
        source = ImagesSource("east", str(tmp_path))
        num_frames, error = read(source)
        assert num_frames + source.num_bad == 10 or error is not None

    fuzz(once)
