"""Measures the speed of rendering on this machine."""

import time

from rich.console import Console
from rich.table import Table

from connectors.synthetic.world import Scenario, World

_PEOPLE, _CAMERAS = (0, 5, 10, 20, 40), (1, 2, 4)
_MOMENTS = 10


def frames_per_second(people: int, cameras: int, *, moments: int = _MOMENTS, device: str = "cpu") -> float:
    """Return frames per second of processor time, after warm-up; other load on the machine matters little.

    Args:
        people: Number of people of the plaza; about half of them are present at a time.
        cameras: 1 to 4.
        moments: Moments that are rendered.
        device: cpu or cuda.
    """
    scenario = Scenario(people=people, seed=1, returns=0.0, device=device)
    names = [camera.name for camera in World(scenario).place.cameras[:cameras]]
    views = World(scenario, names).moments()
    next(views)
    began = time.process_time()
    for _ in range(moments):
        next(views)
    return moments * cameras / (time.process_time() - began)


def print_speed(device: str) -> None:
    """Print a table with a row for each number of people and a column for each number of cameras."""
    table = Table("people", *(f"{cameras} cameras" for cameras in _CAMERAS), box=None)
    for people in _PEOPLE:
        speeds = [frames_per_second(people, cameras, device=device) for cameras in _CAMERAS]
        table.add_row(str(people), *(f"{speed:.0f}" for speed in speeds))
    Console().print(table)
