"""The sizes of pictures, as the sightings of a run tell them: zones and lines are drawn for one size."""

import logging
from collections.abc import Callable

from pipeline.alerts.picture_check import Sizes
from pipeline.core.errors import ConfigError

logger = logging.getLogger(__name__)


class PictureSizes:
    """Knows the size of each camera's picture, and warns of shapes that do not fit it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def see(self, camera_id: str, frame_hw: tuple[int, int], check: Callable[[str, Sizes], None]) -> None:
        """Warn if a picture has another size now, and if ``check`` finds a shape outside of it.

        Args:
            camera_id: The camera.
            frame_hw: Height and width, pixels.
            check: Raises ``ConfigError`` for a shape outside of the camera's picture, given the sizes of all.
        """
        known = self._known.get(camera_id)
        if known == frame_hw:
            return
        if known is not None:
            (old_h, old_w), (new_h, new_w) = known, frame_hw
            logger.warning(
                "camera %s: its picture was %d by %d and is %d by %d pixels now; zones and lines in pixels stay where "
                "they were, those with relative: true follow",
                *(camera_id, old_w, old_h, new_w, new_h),
            )
        self._known[camera_id] = frame_hw
        try:
            check(camera_id, self._known)
        except ConfigError as error:
            logger.warning("%s", error)
