"""The floor plan of a site: a picture, and how many metres a pixel of it is."""

import io
import json
import os
import threading
from dataclasses import asdict, dataclass
from math import hypot
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.errors import ConnectorError, DataError

PICTURE, SCALE = "floor_plan.png", "floor_plan.json"
"""Files beside the file of edits."""

MIN_APART_PX = 20.0
"""Pixels between the two points of a scale. Nearer ones make it wrong by more than 5 % for a pixel."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FloorPlan:
    """A floor plan. Its lower left corner is at 0, 0 of the ground; x goes right and y up, as on a map.

    Attributes:
        width: Of the picture, pixels.
        height: Likewise.
        metres_per_px: Its scale; None: not stated yet.
    """

    width: int
    height: int
    metres_per_px: float | None = None


class FloorPlanFile:
    """The picture and its scale, in two files.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._picture, self._scale = folder / PICTURE, folder / SCALE
        self._writing = threading.Lock()

    def plan(self) -> FloorPlan | None:
        """Return the floor plan; None without one.

        Raises:
            ConnectorError: If it cannot be read.
        """
        try:
            return FloorPlan(**json.loads(self._scale.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ConnectorError(
                f"{self._scale}: cannot be read: {error}; delete it, and upload the plan again"
            ) from error

    def picture(self) -> bytes | None:
        """Return the picture, PNG; None without a plan."""
        try:
            return self._picture.read_bytes()
        except FileNotFoundError:
            return None

    def put(self, image: NDArray[np.uint8]) -> FloorPlan:
        """Take a new picture, shape ``(h, w, 3)``, uint8, RGB; it has no scale yet."""
        written = io.BytesIO()
        Image.fromarray(image).save(written, "PNG")
        plan = FloorPlan(image.shape[1], image.shape[0])
        with self._writing:
            self._scale.unlink(missing_ok=True)  # the scale of another picture holds at no time
            _write(self._picture, written.getvalue())
            _write(self._scale, json.dumps(asdict(plan)).encode())
        return plan

    def set_scale(self, one: Point, two: Point, metres: float) -> FloorPlan:
        """State how far two points of the picture, pixels, are from each other.

        Raises:
            DataError: If there is no plan, or they are not on it or too near to each other.
        """
        with self._writing:
            plan = self.plan()
            if plan is None:
                raise DataError("floor plan: expected one, got none; upload it first")
            if not all(0 <= x <= plan.width and 0 <= y <= plan.height for x, y in (one, two)):
                raise DataError(f"points: expected both on the plan of {plan.width}x{plan.height}; set them again")
            apart_px = hypot(two[0] - one[0], two[1] - one[1])
            if apart_px < MIN_APART_PX:
                raise DataError(
                    f"points: expected at least {MIN_APART_PX:g} pixels between them, got {apart_px:.0f}; set them "
                    "farther apart"
                )
            plan = FloorPlan(plan.width, plan.height, float(f"{metres / apart_px:.6g}"))
            _write(self._scale, json.dumps(asdict(plan)).encode())
        return plan

    def drop(self) -> None:
        """Delete the plan."""
        with self._writing:
            self._scale.unlink(missing_ok=True)
            self._picture.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write a private file, whole."""
    unfinished = path.with_name(f".{path.name}.part")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    unfinished.replace(path)
