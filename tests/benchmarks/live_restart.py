"""Identities kept when a run on live cameras is killed and resumed.

    PYTHONPATH=.:tests/support python tests/benchmarks/live_restart.py

Four RTSP cameras show the plaza of the demo and continue while no client is connected. The run is killed with
``kill -9`` and started again at once with ``resume=true``. The benchmark counts the people who were seen before and
after and kept their identity. For comparison it prints the same count of an undisturbed run on the recording, split at
the same times: identities lost there are not lost by the restart.
"""

import argparse
import itertools
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from rtsp_server import RtspServer
from running import ROOT, interrupt, run, start

from pipeline.core import TrackId
from pipeline.core.boxes import iou_matrix
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.truth import read_mot_truth
from pipeline.ledger import NOBODY, LedgerReader

FPS, SECONDS = 10, 60
CAMERAS = ("west", "east", "north", "gate")
DEMO = ROOT / "connectors/synthetic/demo"
TRUTH = {camera_id: read_mot_truth(DEMO / f"mot/{camera_id}.txt") for camera_id in CAMERAS}

ROWS = {truth: truth.rows_by_frame() for truth in TRUTH.values()}

Sight = tuple[TrackId, int, NDArray[np.float32], int]
"""Track, frame since the start of its session, box, and identity after all corrections."""
Seen = list[tuple[int, int, int, int]]
"""Frame of the recording, true person, identity and session, in order of frames."""


class OngoingCameras:
    """Serves each recording from its current position to each client that connects.

    Args:
        folder: For the server's files.
    """

    def __init__(self, folder: Path) -> None:
        self.began_at = 0.0
        self._stop = threading.Event()
        self._folder, self._parts = folder / "now", folder / "parts"
        self._folder.mkdir()
        self._parts.mkdir()
        for camera_id in CAMERAS:
            whole = self._encoded(camera_id)
            for second in range(SECONDS - 2):
                _cut(whole, self._parts / f"{camera_id}_{second}.mp4", second)
            self._show(camera_id, 0)
        self.server = RtspServer(self._folder)

    def begin(self) -> None:
        """Start the clock of the cameras."""
        self.began_at = time.monotonic()
        threading.Thread(target=self._advance, daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        self.server.kill()

    def _advance(self) -> None:
        for second in range(1, SECONDS - 2):
            if self._stop.wait(max(0.0, self.began_at + second - time.monotonic())):
                return
            for camera_id in CAMERAS:
                self._show(camera_id, second)

    def _show(self, camera_id: str, second: int) -> None:
        link = self._folder / f".{camera_id}"
        link.hardlink_to(self._parts / f"{camera_id}_{second}.mp4")
        os.replace(link, self._folder / f"{camera_id}.mp4")

    def _encoded(self, camera_id: str) -> Path:
        """Encode a recording with one key frame per second."""
        path = self._parts / f"{camera_id}.mp4"
        with av.open(str(DEMO / f"{camera_id}.mp4")) as source, av.open(str(path), "w") as target:
            options = {"crf": "18", "preset": "veryfast", "g": str(FPS), "keyint_min": str(FPS), "bf": "0"}
            stream = target.add_stream("libx264", rate=FPS, options=options)
            stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
            for frame in source.decode(video=0):
                target.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))))
            target.mux(stream.encode(None))
        return path


def _cut(whole: Path, part: Path, second: int) -> None:
    """Copy a recording from the key frame of ``second`` to the end."""
    with av.open(str(whole)) as source, av.open(str(part), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size][second * FPS :]
        shift = packets[0].dts
        for packet in packets:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copied
            target.mux(packet)


def sightings(folder: Path) -> Iterator[Sight]:
    """Yield the sightings of a ledger."""
    reader = LedgerReader(folder / "ledger.sqlite")
    for event in reader.events(limit=-1, kind="sighting"):
        number = reader.person_of(event.part)
        if number != NOBODY:
            yield event.part.track_id, event.body["last"][0], np.array([event.body["box_xyxy"]], np.float32), number
    reader.close()


def seen_in(folder: Path, *, is_live: bool) -> Seen:
    """Return the true people seen; the start frame of a live session is the shift with the most matches."""
    found: Seen = []
    tracks = sorted(sightings(folder), key=lambda seen: seen[0])
    for (camera_id, _), group in itertools.groupby(tracks, lambda seen: (seen[0].camera_id, seen[0].session)):
        of_session = list(group)
        shifts = range(SECONDS * FPS) if is_live else [0]
        found += max((list(_true(of_session, TRUTH[camera_id], shift)) for shift in shifts), key=len)
    return sorted(found)


def _true(of_session: list[Sight], truth: TrackTable, shift: int) -> Iterator[tuple[int, int, int, int]]:
    rows = ROWS[truth]
    for track_id, index, box, number in of_session:
        there = rows.get(index + shift)
        if there is not None:
            overlaps = iou_matrix(box, truth.boxes_xyxy[there])[0]
            if overlaps.max() >= 0.5:
                yield index + shift, int(truth.ids[there[overlaps.argmax()]]), number, track_id.session


def kept(before: Seen, after: Seen) -> str:
    """Return how many of the people seen before and after have the same identity, as text."""
    last = {who: number for _, who, number, _ in before}
    first = {who: number for _, who, number, _ in reversed(after)}
    both = last.keys() & first.keys()
    return f"{sum(last[who] == first[who] for who in both)} of {len(both)}"


def live(folder: Path, kill_after_s: float) -> tuple[Seen, Seen]:
    """Return the people seen before and after the kill."""
    cameras = OngoingCameras(folder)
    output = folder / "out"
    with cameras.server as server:
        urls = ", ".join(f"{camera_id}: '{server.url(f'{camera_id}.mp4')}'" for camera_id in CAMERAS)
        options = [
            *("runtime=inline", "site=demo", f"site.cameras={{{urls}}}", "sink=[jsonl]", f"output_dir={output}"),
            *("source.rtsp.open_timeout_s=30", "flow.max_reopens=1"),
        ]
        process = start(options)
        while not (output / "ledger.sqlite").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        cameras.begin()
        time.sleep(kill_after_s)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        sessions = {track_id.session for track_id, *_ in sightings(output)}
        process = start([*options, "resume=true"])
        time.sleep(max(0.0, cameras.began_at + SECONDS - 3 - time.monotonic()))
        finished = interrupt(process)
        cameras.close()
    assert finished.code == 0, finished.err
    seen = seen_in(output, is_live=True)
    return [one for one in seen if one[3] in sessions], [one for one in seen if one[3] not in sessions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kill-after", type=float, nargs="+", default=[20.0, 25.0, 30.0], help="seconds: 20 25 30")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        finished = run(["runtime=inline", "site=demo", "sink=[jsonl]", f"output_dir={undisturbed}"], timeout_s=600)
        assert finished.code == 0, finished.err
        recorded = seen_in(undisturbed, is_live=False)
        for kill_after_s in options.kill_after:
            place = Path(folder) / f"{kill_after_s:g}"
            place.mkdir()
            before, after = live(place, kill_after_s)
            died, back = before[-1][0], after[0][0]
            same = kept([one for one in recorded if one[0] <= died], [one for one in recorded if one[0] >= back])
            print(
                f"killed after {kill_after_s:g} s, no detection for {(back - died) / FPS:.1f} s: {kept(before, after)} "
                f"people keep their identity; in an undisturbed run on the recording {same}",
                flush=True,
            )


if __name__ == "__main__":
    main()
