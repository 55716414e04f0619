"""``python -m pipeline.evaluation.simulation``: the real match stage with people who are only numbers.

Embeddings with known truth: everybody is a direction, a look at somebody is that direction with noise, and where and
when people are seen is drawn as on a site of many cameras. What is printed: wrong and missed links beside the plain
nearest neighbour, and what a tracklet costs, in time and memory, against the bare FAISS search among as many people.

    python -m pipeline.evaluation.simulation people=1000,100000 tracklets=2000 out=outputs/simulation
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.gallery.faiss_index import FaissGallery
from pipeline.core import Embedding, FrameStamp, Sighting, TrackId, TrackPath
from pipeline.core.errors import ConfigError
from pipeline.stages._calibration import Calibration, DistanceModel
from pipeline.stages._evidence import Rules
from pipeline.stages._topology import Topology
from pipeline.stages.match import MatchStage

DIM = 256
WINDOW_S = 0.5
PER_WINDOW = 20
FRAME_HW = (1080, 1920)
SAME_MEAN = 0.35
"""Mean distance of two looks at one person; different people are at 1, and spread by the dimension."""
START = DistanceModel(same_mean=SAME_MEAN, same_std=0.06, different_mean=1.0, different_std=0.08)
SPACE = "simulation@1"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage came to.

    Attributes:
        people: Known when it was measured.
        tracklet_ms: Of the stage, milliseconds a tracklet, median over windows.
        search_ms: Of the bare FAISS search among as many prototypes, milliseconds a query, median.
        ratio: Of the two.
        resident_mb: Of this process, megabytes.
        false_match_rate: Part of the tracklets of new people that were given to somebody else.
        false_new_rate: Part of the tracklets of known people that were given a new number.
    """

    people: int
    tracklet_ms: float
    search_ms: float
    ratio: float
    resident_mb: float
    false_match_rate: float
    false_new_rate: float


class Crowd:
    """People as directions; ``look`` draws what one of them looks like now.

    Args:
        num_people: Known from the start.
        seed: Of everything.
    """

    def __init__(self, num_people: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.directions = _unit(self._rng.standard_normal((num_people, DIM)).astype(np.float32))

    def look(self, person: int) -> NDArray[np.float32]:
        """Return what a person looks like, shape ``(DIM,)``, L2 norm 1."""
        noise = self._rng.standard_normal(DIM).astype(np.float32)
        spread = np.sqrt(SAME_MEAN / (1 - SAME_MEAN) / DIM)
        look: NDArray[np.float32] = _unit((self.directions[person] + spread * noise)[None])[0]
        return look

    def choose(self, count: int) -> list[int]:
        """Return somebody ``count`` times, nobody twice."""
        return [int(i) for i in self._rng.choice(len(self.directions), count, replace=False)]

    def grow(self) -> int:
        """Return the index of somebody new."""
        one = _unit(self._rng.standard_normal((1, DIM)).astype(np.float32))
        self.directions = np.concatenate([self.directions, one])
        return len(self.directions) - 1


def tracklet(number: int, at: float, vector: NDArray[np.float32], camera_id: str) -> Embedding:
    """Return a whole track of a second that ends at a moment, Unix seconds."""
    times = at - 1.0 + np.arange(4) / 4
    boxes = np.tile(np.array([800, 300, 900, 600], np.float32), (4, 1))
    path = TrackPath(np.arange(4, dtype=np.int64), times, boxes, np.full(4, 0.9, np.float32), FRAME_HW)
    first, last = FrameStamp(camera_id, 0, float(times[0])), FrameStamp(camera_id, 3, float(times[-1]))
    track_id = TrackId(camera_id, 0, number)
    return Embedding(track_id, 0, first, last, boxes[-1], SPACE, vector, 0.8, path, at, is_last=True)


def make_stage(*, max_identities: int, forget_after_s: float = inf, max_false_match_rate: float = 0.01) -> MatchStage:
    """Return the stage as the line builds it, but for the site."""
    return MatchStage(
        FaissGallery(device="cpu", threads=1, approximate_above=inf),
        Calibration(START, caution=1.0, max_evidence=12.0),
        Rules(Topology(), inf),
        max_false_match_rate=max_false_match_rate,
        review_every_s=60.0,
        review_window_s=10.0,
        forget_after_s=forget_after_s,
        max_identities=max_identities,
        max_prototypes=4,
    )


def measure(num_people: int, num_tracklets: int, *, seed: int, num_cameras: int = 1000) -> Cost:
    """Enrol people, then judge tracklets, one in five of somebody new, and return what that cost."""
    crowd = Crowd(num_people, seed)
    stage = make_stage(max_identities=num_people + num_tracklets)
    for person in range(num_people):
        stage.enrol(person + 1, tracklet(person, 0.0, crowd.look(person), "enrolled"))
    index = faiss.IndexFlatIP(DIM)
    index.add(crowd.directions)
    stage_s, search_s = [], []
    wrong, missed, num_new, num_known = 0, 0, 0, 0
    at = 10_000.0
    for start in range(0, num_tracklets, PER_WINDOW):
        at += WINDOW_S
        num_fresh = PER_WINDOW // 5
        chosen = crowd.choose(PER_WINDOW - num_fresh)
        fresh = [crowd.grow() for _ in range(num_fresh)]
        batch = [
            tracklet(start + i, at, crowd.look(person), f"camera{(start + i) % num_cameras}")
            for i, person in enumerate([*chosen, *fresh])
        ]
        began = time.perf_counter()
        records = stage.process(batch)
        stage_s.append((time.perf_counter() - began) / len(batch))
        sightings = [record for record in records if isinstance(record, Sighting)]
        for sighting, person in zip(sightings, [*chosen, *fresh], strict=True):
            if person < num_people:
                num_known += 1
                missed += sighting.person_id != person + 1
            else:
                num_new += 1
                wrong += sighting.person_id <= num_people
        for embedding in batch:
            began = time.perf_counter()
            index.search(embedding.vector[None], 80)
            search_s.append(time.perf_counter() - began)
    tracklet_ms, search_ms = 1000 * float(np.median(stage_s)), 1000 * float(np.median(search_s))
    return Cost(
        num_people,
        tracklet_ms,
        search_ms,
        tracklet_ms / search_ms,
        resident_mb(),
        wrong / max(num_new, 1),
        missed / max(num_known, 1),
    )


def soak(num_tracklets: int, *, max_identities: int, seed: int, max_s: float) -> Iterator[tuple[int, float, float]]:
    """Judge tracklets of people who come and go, and yield how many so far, milliseconds a tracklet, and megabytes.

    Args:
        num_tracklets: How many at most.
        max_identities: That the stage may know.
        seed: Of the people.
        max_s: Seconds after which it ends.
    """
    rng = np.random.default_rng(seed)
    stage = make_stage(max_identities=max_identities)
    at, began, lap = 10_000.0, time.perf_counter(), time.perf_counter()
    every = max(PER_WINDOW, num_tracklets // 50 // PER_WINDOW * PER_WINDOW)
    for start in range(0, num_tracklets, PER_WINDOW):
        at += WINDOW_S
        looks = _unit(rng.standard_normal((PER_WINDOW, DIM)).astype(np.float32))
        stage.process([tracklet(start + i, at, look, f"camera{i}") for i, look in enumerate(looks)])
        if (start + PER_WINDOW) % every == 0:
            now = time.perf_counter()
            yield start + PER_WINDOW, 1000 * (now - lap) / every, resident_mb()
            lap = now
            if now - began > max_s:
                return


def resident_mb() -> float:
    """Return the memory that this process holds, megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def draw(points: list[tuple[float, float]], title: str, path: Path) -> None:
    """Write a picture of a curve; both axes from 0, or of logarithms where they span more than a hundredfold."""
    width, height, margin = 640, 360, 48
    picture = np.full((height, width, 3), 255, np.uint8)
    x, y = (np.array(values, np.float64) for values in zip(*points, strict=True))
    if x.max() > 100 * x.min() > 0:
        x = np.log10(x)
    x_px = margin + (x - x.min()) / max(np.ptp(x), 1e-9) * (width - 2 * margin)
    y_px = height - margin - y / max(y.max(), 1e-9) * (height - 2 * margin)
    line = np.stack([x_px, y_px], axis=1).round().astype(np.int32)
    cv2.rectangle(picture, (margin, margin), (width - margin, height - margin), (200, 200, 200), 1)
    cv2.polylines(picture, [line], isClosed=False, color=(160, 80, 0), thickness=2, lineType=cv2.LINE_AA)
    for text, place in (
        (title, (margin, 30)),
        (f"{points[0][0]:g}", (margin, height - 20)),
        (f"{points[-1][0]:g}", (width - 2 * margin, height - 20)),
        (f"{max(value for _, value in points):.3g}", (4, margin)),
    ):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    cv2.imwrite(str(path), picture)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def main() -> None:
    """Print the table and write the pictures; exit code 2 for words that say nothing."""
    options = {"people": "1000,10000,100000", "tracklets": "1000", "soak": "0", "cap": "2000", "seed": "0"}
    options |= {"max_s": "600", "out": "outputs/simulation"}
    for word in sys.argv[1:]:
        key, _, value = word.partition("=")
        if key not in options:
            error = ConfigError(f"{word}: expected one of {', '.join(f'{name}=…' for name in options)}; correct it")
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        options[key] = value
    out = Path(options["out"])
    out.mkdir(parents=True, exist_ok=True)
    seed = int(options["seed"])
    costs = [measure(int(n), int(options["tracklets"]), seed=seed) for n in options["people"].split(",") if n]
    table = Table(*(name.replace("_", " ") for name in Cost.__slots__), box=None, pad_edge=False)
    for cost in costs:
        table.add_row(*(f"{value:.4g}" for value in asdict(cost).values()))
    Console().print(table)
    (out / "costs.json").write_text(json.dumps([asdict(cost) for cost in costs], indent=1), encoding="utf-8")
    if len(costs) > 1:
        draw([(c.people, c.tracklet_ms) for c in costs], "ms a tracklet by people known", out / "time.png")
        draw([(c.people, c.resident_mb) for c in costs], "MB by people known", out / "memory.png")
    if int(options["soak"]):
        laps = []
        for lap in soak(
            int(options["soak"]), max_identities=int(options["cap"]), seed=seed, max_s=float(options["max_s"])
        ):
            laps.append(lap)
            print("{} tracklets: {:.3f} ms each, {:.0f} MB".format(*lap), flush=True)
        draw([(n, ms) for n, ms, _ in laps], "soak: ms a tracklet", out / "soak_time.png")
        draw([(n, mb) for n, _, mb in laps], "soak: MB", out / "soak_memory.png")


if __name__ == "__main__":
    main()
