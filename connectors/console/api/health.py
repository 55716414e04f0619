"""Routes of health: the state of the pipeline, and what is known of the site."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from connectors.console.api.permissions import Viewer
from connectors.console.app_state import AppState
from connectors.console.camera_address import CameraAddress
from connectors.console.review.queue import QUEUE, answer_bins
from connectors.console.site_editing.floor_plan import FloorPlanFile
from connectors.console.store.accounts import User
from pipeline.core.errors import ConfigError


class HealthRoutes:
    """Routes of health.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["health"])
        add = router.add_api_route
        add("/health", self.health, methods=["GET"], summary="Get the state of the pipeline")
        add("/site", self.site, methods=["GET"], summary="Get the cameras and what is known of the site")
        return router

    def health(self, user: Viewer) -> dict[str, Any]:
        """The state of the pipeline; after the run, its summary."""
        return {
            "is_live": self._state.is_live,
            "status": _of_cameras(self._state.report("status.json"), user),
            "summary": _of_cameras(self._state.report("summary.json"), user),
            "transits": self._transits(user),
            "calibration": self._calibration(),
            "answers": [asdict(each) for each in answer_bins(self._state.notes.labels(QUEUE))],
            "bad_messages": self._state.live_view.num_bad,
            "viewers": self._state.live_view.num_viewers,
            "connected": [camera_id for camera_id in self._state.live_view.cameras if user.sees(camera_id)],
        }

    def _transits(self, user: User) -> list[dict[str, Any]]:
        found = self._state.ledger_view.transits()
        return [each for each in found if user.sees(each["from"]) and user.sees(each["to"])]

    def _calibration(self) -> dict[str, Any] | None:
        try:
            return self._state.probability_scale.curve()
        except ConfigError:
            return None  # the run left no configuration, only the ledger and pictures

    def site(self, user: Viewer) -> dict[str, Any]:
        """The cameras that the user may see, and what is known of the site."""
        site = self._state.site_file.site()
        recorder = self._state.settings.recorder
        names = site.cameras or self._state.live_view.cameras
        return {
            "cameras": [camera_id for camera_id in names if user.sees(camera_id)],
            "overlaps": site.overlaps and [pair for pair in site.overlaps if all(map(user.sees, pair))],
            "transit_times": [each for each in site.transit_times if all(map(user.sees, each.get("between", ())))],
            "transits": self._transits(user),
            "camera_groups": {
                name: [camera_id for camera_id in cameras if user.sees(camera_id)]
                for name, cameras in site.camera_groups.items()
                if any(map(user.sees, cameras))
            },
            "newest_at": self._state.ledger_view.newest_at(),
            "areas": {name: area for name, area in self._state.ledger_view.areas().items() if user.sees(name)},
            "floor_plan": self._floor_plan(user),
            "is_live": self._state.is_live,
            "has_recording": self._state.recording() is not None,
            "recorder": recorder and _of_visible(recorder, user),
            "live_video": [
                camera_id for camera_id in names if user.sees(camera_id) and self._state.has_video(camera_id)
            ],
        }

    def _floor_plan(self, user: User) -> dict[str, Any] | None:
        plan = FloorPlanFile(self._state.edits_path.parent).plan() if user.cameras is None else None
        return None if plan is None else asdict(plan)


def _of_visible(recorder: CameraAddress, user: User) -> dict[str, Any]:
    """Return a recorder with the channels of the cameras that a user may see."""
    channels = {camera_id: channel for camera_id, channel in recorder.channels.items() if user.sees(camera_id)}
    return {"address": recorder.address, "channels": channels}


def _of_cameras(report: Any, user: User) -> Any:
    """Return a report; for a user who may see some cameras only, what it says of these, and nothing of the whole."""
    if user.cameras is None or not isinstance(report, dict):
        return report
    cameras = report.get("cameras")
    seen = {name: found for name, found in cameras.items() if user.sees(name)} if isinstance(cameras, dict) else {}
    return {"at": report.get("at"), "cameras": seen}
