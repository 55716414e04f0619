"""How the line is doing, and what is known of the place."""

from typing import Any

from fastapi import APIRouter

from connectors.console.api.permissions import Viewer
from connectors.console.api.review_queue import QUEUE, answers
from connectors.console.app_state import AppState
from pipeline.core.errors import ConfigError


class HealthRoutes:
    """Routes of health.

    Args:
        state: What the page works with.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

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
            "is_live": self._state.is_live,
            "status": self._state.report("status.json"),
            "summary": self._state.report("summary.json"),
            "walks": self._state.ledger_view.walks(),
            "calibration": self._calibration(),
            "answers": answers(self._state.notes.labels(QUEUE)),
            "bad_messages": self._state.wall.num_bad,
            "viewers": self._state.wall.num_viewers,
            "connected": self._state.wall.cameras,
        }

    def _calibration(self) -> dict[str, Any] | None:
        try:
            return self._state.probability_scale.curve()
        except ConfigError:
            return None  # of this run there are only the ledger and its pictures

    def site(self, user: Viewer) -> dict[str, Any]:
        """Cameras, and what is known of the place."""
        site = self._state.site_file.site()
        names = site.cameras or self._state.wall.cameras
        return {
            "cameras": [camera_id for camera_id in names if user.sees(camera_id)],
            "overlaps": site.overlaps,
            "transit_times": site.transit_times,
            "walks": self._state.ledger_view.walks(),
            "areas": {name: area for name, area in self._state.ledger_view.areas().items() if user.sees(name)},
            "is_live": self._state.is_live,
        }
