import pytest

from pipeline.config.intake import camera_intakes
from pipeline.config.schema import SiteConfig
from pipeline.core.errors import ConfigError
from pipeline.runtime.plan import CameraIntake


def intake(**keys: object) -> CameraIntake:
    return camera_intakes(SiteConfig(cameras={"east": {"uri": "/a/east.mp4", **keys}}))["east"]


def test_by_default_the_view_is_watched_and_there_is_no_motion_gate() -> None:
    assert intake() == CameraIntake(None, 0.0, watch_view=True, motion_gate=False)


def test_each_key_of_a_camera_is_taken() -> None:
    found = intake(max_fps=5, offset_s=-1.5, watch_view=False, motion_gate=True)
    assert found == CameraIntake(5.0, -1.5, watch_view=False, motion_gate=True)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"motion_gate": "yes"}, "motion_gate: expected true or false, got yes"),
        ({"watch_view": 1}, "watch_view: expected true or false, got 1"),
        ({"max_fps": 0}, "max_fps: expected a number above 0"),
        ({"offset_s": True}, "offset_s: expected a number"),
    ],
)
def test_a_mistake_names_the_key(keys: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=f"site.cameras.east.{named}"):
        intake(**keys)
