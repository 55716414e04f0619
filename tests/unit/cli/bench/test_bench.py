"""``passerby bench`` says how many cameras a machine can follow."""

import pytest

from pipeline.cli.bench.stages import sizing


@pytest.mark.parametrize(("processor_ms", "num_cores", "num_cameras"), [(20.0, 2, 10), (20.0, 16, 80), (300.0, 2, 0)])
def test_the_cameras_of_a_machine_follow_from_the_time_of_a_frame(
    processor_ms: float, num_cores: int, num_cameras: int
) -> None:
    said = sizing(processor_ms, num_cores)
    assert f"{processor_ms} ms of processor time" in said
    assert f"{num_cores} cores can follow up to {num_cameras} such cameras at 10 frames/s" in said
