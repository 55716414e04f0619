"""Named worlds of the published figures, so that each figure can be reproduced."""

from dataclasses import dataclass, replace
from pathlib import Path

from connectors.synthetic.dataset import write_shard
from connectors.synthetic.recording import render
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ConfigError

CROPS_FPS = 2.0
"""Frames per second of the shard of crops. More frames add near duplicates of the same crops."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named world.

    Attributes:
        scenario: What is rendered.
        seconds: Length of the videos.
        crf: Quality of H.264: 0 best, 51 worst.
        crops: Whether a shard of crops is written too.
    """

    scenario: Scenario
    seconds: float
    crf: int = 23
    crops: bool = True


BENCHMARKS = {
    # What `make run` shows; its clips are in the repository. Two people look alike; one returns in another jacket.
    "demo": Benchmark(
        Scenario("plaza", people=15, seed=39, returns=0.7, changes=0.2, lookalikes=0.12, groups=0.2, supersample=2),
        seconds=60.0,
        crf=29,
        crops=False,
    ),
    "easy": Benchmark(Scenario("plaza", people=10, seed=101, wardrobe="vivid", groups=0.0), seconds=90.0),
    "crowd": Benchmark(
        Scenario("plaza", people=38, seed=102, wardrobe="muted", lookalikes=0.8, groups=0.5), seconds=60.0
    ),
    "change": Benchmark(Scenario("plaza", people=14, seed=103, returns=1.0, changes=1.0), seconds=120.0),
    # 32 cameras, 500 people, half the width and height.
    "large": Benchmark(Scenario("campus", people=500, seed=104, fps=5.0, scale=0.5), seconds=30.0, crops=False),
}


def render_benchmark(name: str, folder: Path, *, seconds: float | None = None) -> None:
    """Render the benchmark ``name`` into ``folder``: videos, ground truth, and ``worlds/0000.npz`` to score networks.

    Args:
        name: Of the benchmark.
        folder: Output folder.
        seconds: Render only so many; None for the length of the benchmark.

    Raises:
        ConfigError: If there is no such benchmark.
        ConnectorError: If writing fails.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"benchmark: expected one of {', '.join(BENCHMARKS)}, got {name!r}")
    benchmark = BENCHMARKS[name]
    benchmark = benchmark if seconds is None else replace(benchmark, seconds=seconds)
    render(World(benchmark.scenario), folder, seconds=benchmark.seconds, crf=benchmark.crf)
    if benchmark.crops:
        (folder / "worlds").mkdir(exist_ok=True)
        slow = replace(benchmark.scenario, fps=CROPS_FPS)
        write_shard(folder / "worlds" / "0000.npz", slow, seconds=benchmark.seconds, number=0)
