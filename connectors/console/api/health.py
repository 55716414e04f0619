"""How the line is doing, and what is known of the place."""

from typing import Any

from fastapi import APIRouter

from connectors.console.api.permissions import Viewer
from connectors.console.api.review_queue import QUEUE, answers
from connectors.console.app_state import Desk
from pipeline.core.errors import ConfigError


class HealthRoutes:
    """Routes of health.

    Args:
        desk: What the page works with.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["health"])
        add = router.add_api_route
        add("/health", self.health, methods=["GET"], summary="How the line is doing")
        add("/site", self.site, methods=["GET"], summary="Cameras, and what is known of the place")
        return router

    def health(self, user: Viewer) -> dict[str, Any]:
        """How the line is doing; of a run that has ended, how it went."""
        return {
            "is_live": self._desk.is_live,
            "status": self._desk.report("status.json"),
            "summary": self._desk.report("summary.json"),
            "walks": self._desk.story.walks(),
            "calibration": self._calibration(),
            "answers": answers(self._desk.journal.labels(QUEUE)),
            "bad_messages": self._desk.wall.num_bad,
            "viewers": self._desk.wall.num_viewers,
            "connected": self._desk.wall.cameras,
        }

    def _calibration(self) -> dict[str, Any] | None:
        try:
            return self._desk.odds.curve()
        except ConfigError:
            return None  # of this run there are only the ledger and its pictures

    def site(self, user: Viewer) -> dict[str, Any]:
        """Cameras, and what is known of the place."""
        site = self._desk.site_file.site()
        names = site.cameras or self._desk.wall.cameras
        return {
            "cameras": [camera_id for camera_id in names if user.sees(camera_id)],
            "overlaps": site.overlaps,
            "walking_times": site.walking_times,
            "walks": self._desk.story.walks(),
            "areas": {name: area for name, area in self._desk.story.areas().items() if user.sees(name)},
            "is_live": self._desk.is_live,
        }
