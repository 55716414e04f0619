"""How fast worlds are rendered on this machine."""

import time

from rich.console import Console
from rich.table import Table

from connectors.synthetic.world import Scenario, World

_PEOPLE, _CAMERAS = (0, 5, 10, 20, 40), (1, 2, 4)
_MOMENTS = 10


def frames_per_second(people: int, cameras: int, *, moments: int = _MOMENTS, device: str = "cpu") -> float:
    """Return pictures a second of processor time, all made ready before; other work on the machine counts little.

    Args:
        people: Who live in the plaza; about half of them are there at a time.
        cameras: 1 to 4.
        moments: How many are drawn.
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
    """Print a table: people downwards, cameras across."""
    table = Table("people", *(f"{cameras} cameras" for cameras in _CAMERAS), box=None)
    for people in _PEOPLE:
        speeds = [frames_per_second(people, cameras, device=device) for cameras in _CAMERAS]
        table.add_row(str(people), *(f"{speed:.0f}" for speed in speeds))
    Console().print(table)
