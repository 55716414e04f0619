"""Record a world to files: a video and its ground truth for each camera."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import av
from av.error import FFmpegError
from rich.progress import track

from connectors.synthetic.camera_calibration import calibrate_cameras
from connectors.synthetic.people import attributes
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.truth import to_json, to_mot
from connectors.synthetic.world import View, World
from pipeline.core.errors import ConfigError, ConnectorError


class _CameraFiles:
    """The files of one camera; they get their final names after the last frame."""

    def __init__(self, folder: Path, camera: Camera, *, fps: float, crf: int) -> None:
        name = camera.name
        self._final = (folder / f"{name}.mp4", folder / "truth" / f"{name}.jsonl", folder / "mot" / f"{name}.txt")
        for path in self._final:
            path.parent.mkdir(parents=True, exist_ok=True)
        video, truth, mot = (path.with_name(f".{path.name}.part") for path in self._final)
        self._container = av.open(str(video), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        self._stream.height, self._stream.width = camera.size_hw
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": str(crf), "preset": "medium", "threads": "1"}
        self._truth: TextIO = truth.open("w", encoding="utf-8")
        self._mot: TextIO = mot.open("w", encoding="utf-8")
        self._unfinished = (video, truth, mot)

    def add(self, view: View) -> None:
        frame = av.VideoFrame.from_ndarray(view.frame.image, format="rgb24")
        self._container.mux(self._stream.encode(frame))
        self._truth.write(to_json(view.frame.stamp, view.people) + "\n")
        for line in to_mot(view.frame.stamp, view.people):
            self._mot.write(line + "\n")

    def finish(self) -> None:
        self._container.mux(self._stream.encode())
        self.close()
        for unfinished, final in zip(self._unfinished, self._final, strict=True):
            unfinished.replace(final)

    def close(self) -> None:
        self._container.close()
        self._truth.close()
        self._mot.close()


def render(world: World, folder: Path, *, seconds: float, crf: int) -> None:
    """Write ``<camera>.mp4``, ``truth/<camera>.jsonl``, ``mot/<camera>.txt``, ``people.json`` and ``site.yaml``.

    Args:
        world: What to render.
        folder: Output folder; created if absent.
        seconds: Length, above 0.
        crf: Quality of H.264: 0 lossless, 51 worst.

    Raises:
        ConfigError: If ``seconds`` is not above 0.
        ConnectorError: If writing fails; no unfinished file has a final name.
    """
    if seconds <= 0:
        raise ConfigError(f"seconds: expected a number above 0, got {seconds}")
    num_frames = round(seconds * world.scenario.fps)
    with _disk_errors(folder), ExitStack() as stack:
        recordings = [_CameraFiles(folder, camera, fps=world.scenario.fps, crf=crf) for camera in world.cameras]
        for files in recordings:
            stack.callback(_close_quietly, files)
        for views in track(world.moments(num_frames), total=num_frames, description=f"rendering {folder}"):
            for files, view in zip(recordings, views, strict=True):
                files.add(view)
        for files in recordings:
            files.finish()
        (folder / "people.json").write_text(_people(world), encoding="utf-8")
        (folder / "site.yaml").write_text(site_yaml(world, str(folder)), encoding="utf-8")


def _close_quietly(files: _CameraFiles) -> None:
    """Close files after an error; a further disk error adds nothing to the first one."""
    try:
        files.close()
    except (OSError, FFmpegError):
        return


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, FFmpegError) as error:
        raise ConnectorError(
            f"{folder}: expected room for videos and truth, got: {error}; free some and start again"
        ) from error


def _people(world: World) -> str:
    people = [
        {
            "person_id": number + 1,
            "attributes": [
                dict(zip(attributes.NAMES, attributes.attributes(person, worn), strict=True)) for worn in person.outfits
            ],
            **asdict(person),
        }
        for number, person in enumerate(world.people)
    ]
    return json.dumps({"schema": 1, "scenario": asdict(world.scenario), "people": people}, indent=1) + "\n"


def site_yaml(world: World, folder: str) -> str:
    """Return the site configuration of a recording in ``folder``, as in ``configs/site``."""
    calibration = calibrate_cameras(world.place, device=world.scenario.device)
    names = {camera.name for camera in world.cameras}
    lines = ["defaults: [{override /detector@_global_.detector: passerby}]   # of rendered people", "cameras:"]
    lines += [
        f'  {camera.name}: {{uri: "{folder}/{camera.name}.mp4", starts_at: {round(camera.clock_offset_s, 4)}}}'
        for camera in world.cameras
    ]
    overlaps = [overlap for overlap in calibration.overlaps if {overlap.first, overlap.second} <= names]
    pairs = ", ".join(f"[{overlap.first}, {overlap.second}]" for overlap in overlaps)
    lines.append(f"overlaps: [{pairs}]")
    transits = [
        f"  - {{between: [{transit.first}, {transit.second}], min_s: {transit.min_s:.1f}, max_s: {transit.max_s:.1f}}}"
        for transit in calibration.transits
        if {transit.first, transit.second} <= names
    ]
    lines += ["transit_times:   # seconds", *transits] if transits else []
    lines.append("ground:   # pixels to metres")
    for camera in world.cameras:
        rows = ", ".join("[" + ", ".join(f"{value:.6g}" for value in row) + "]" for row in camera.to_ground)
        lines.append(f"  {camera.name}: [{rows}]")
    lines += [
        "leave_after_s: .inf   # people who return keep their identity",
        "truth:",
        "  format: mot",
        f"  file: {folder}/mot/{{camera_id}}.txt",
    ]
    return "\n".join(lines) + "\n"
