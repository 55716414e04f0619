"""``passerby bench`` says how many cameras a machine can follow."""

import pytest

from pipeline.cli.bench import stages
from pipeline.cli.bench.cameras import KEYS
from pipeline.cli.bench.stages import benchmark, sizing
from pipeline.core.errors import ConfigError


@pytest.mark.parametrize(("processor_ms", "num_cores", "num_cameras"), [(20.0, 2, 10), (20.0, 16, 80), (300.0, 2, 0)])
def test_the_cameras_of_a_machine_follow_from_the_time_of_a_frame(
    processor_ms: float, num_cores: int, num_cameras: int
) -> None:
    said = sizing(processor_ms, num_cores)
    assert f"{processor_ms} ms of processor time" in said
    assert f"{num_cores} cores can follow up to {num_cameras} such cameras at 10 frames/s" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["bench.camera=3"],
            r"bench\.camera: passerby bench has bench\.passes only; bench\.cameras is a key of .*cameras",
        ),
        (
            ["bench.cameras=3"],
            r"bench\.cameras: passerby bench has .*; bench\.cameras is a key of passerby bench cameras",
        ),
        (["cameras", "bench.fps=5"], r"bench\.fps: .*; bench\.fps is a key of passerby bench scale$"),
        (["profile", "bench.zzz=5"], r"bench\.zzz: passerby bench profile has bench\.cameras only; correct it$"),
        (["scale", "bench.core=5"], r"bench\.core: .*; bench\.cores is a key of passerby bench scale$"),
    ],
)
def test_a_key_that_a_measurement_does_not_have_is_refused_before_any_work(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        benchmark(words)


def test_the_help_lists_every_key_of_the_measurements() -> None:
    assert [key for key in KEYS if f"    {key}=" not in str(stages.__doc__)] == []
