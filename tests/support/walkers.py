"""A site of cameras between which people walk one after another: transit times and clocks are known."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

import numpy as np
from people import make_match, see

from pipeline.config.composition import load_config, to_yaml
from pipeline.config.plan import make_plan
from pipeline.config.schema import PipelineConfig
from pipeline.core import Embedding
from pipeline.runtime.match_actor import MatchActor
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.summary import make_summary, write_summary

EVERY_S = 40.0
"""Seconds between two people."""
STAYS_S = 3.0
"""Seconds that a person is in a picture."""


@dataclass(frozen=True, slots=True)
class Walkers:
    """People who go from east to west and from west to east in turns, each once.

    Attributes:
        num: How many.
        median_s: Of the transit times, seconds; log-normal.
        spread: Standard deviation of their logarithm.
        ahead_s: Seconds by which the clock of west is ahead.
        in_north: North sees everybody beside east, two seconds later.
    """

    num: int = 80
    median_s: float = 12.0
    spread: float = 0.2
    ahead_s: float = 0.0
    in_north: bool = False

    def takes_s(self) -> np.ndarray:
        """Return the true transit time of each."""
        return self.median_s * np.exp(self.spread * np.random.default_rng(1).standard_normal(self.num))

    def embeddings(self) -> Iterator[Embedding]:
        """Yield what the cameras see, each by its own clock."""
        rng = np.random.default_rng(2)
        for number, takes_s in enumerate(self.takes_s(), start=1):
            vector = rng.standard_normal(64)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            first, second = ("east", "west") if number % 2 else ("west", "east")
            begins = {first: EVERY_S * number, second: EVERY_S * number + STAYS_S + round(takes_s, 1)}
            if self.in_north:
                begins["north"] = begins["east"] + 2.0
            for camera_id, at in begins.items():
                at += self.ahead_s * (camera_id == "west")
                yield see(camera_id, number, at, at + STAYS_S, vector=vector, is_last=True)


def write_config(folder: Path, *words: str) -> None:
    """Write the configuration of a run of these cameras."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(to_yaml(config_of(folder, *words)))


def config_of(folder: Path, *words: str) -> PipelineConfig:
    """Return the configuration of a run of these cameras."""
    cameras = "site.cameras={east: /a.mp4, north: /c.mp4, west: /b.mp4}"
    return load_config(["site=empty", cameras, "sink=[]", f"output_dir={folder}", *words])


def make_actor(folder: Path, *, max_lateness_s: float = inf) -> MatchActor:
    """Return a match actor that follows the edits of a run whose configuration is written."""
    plan = make_plan(config_of(folder), has_detector=False)
    return MatchActor(
        camera_ids=("east", "north", "west"),
        make_match=lambda: make_match(recluster_every_s=5.0, recluster_window_s=30.0),
        make_alert=plan.make_alert,
        make_topology=plan.make_topology,
        make_sinks={},
        ledger_path=folder / "ledger.sqlite",
        window_s=0.5,
        max_lateness_s=max_lateness_s,
        flush_every_s=1e9,
        max_waiting_embeddings=10_000,
        edits=plan.edits,
    )


async def deliver(actor: MatchActor, embeddings: list[Embedding], until: float) -> None:
    """Hand over what each camera has seen until a time; the others saw nothing."""
    for camera_id in ("east", "north", "west"):
        seen = [each for each in embeddings if each.track_id.camera_id == camera_id]
        await actor.deliver(camera_id, sorted(seen, key=lambda each: each.completed_at), until, 0.0, None)


def run_walkers(folder: Path, walkers: Walkers) -> None:
    """Leave in a folder what a run of these people leaves: configuration, ledger and summary."""
    write_config(folder)

    async def whole() -> None:
        actor = make_actor(folder)
        await deliver(actor, list(walkers.embeddings()), inf)
        write_summary(make_summary({}, await actor.finish(5.0), 1.0, None), folder)

    asyncio.run(whole())


def status_of(status: MatchStatus) -> dict[str, object]:
    """Return what a run writes of its matcher into ``status.json``."""
    return {"at": 0.0, "cameras": {}, "match": asdict(status)}
