"""Routes of the cameras: a test picture before one is added, and cameras that come and go while the run goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Query
from pydantic import Field

from connectors.console.api.permissions import Administrator, check_sees_all
from connectors.console.app_state import AppState
from connectors.console.site_editing.camera_form import CameraForm
from connectors.console.site_editing.cameras import SiteCameras
from connectors.redaction import redact_url
from pipeline.core.errors import ConfigError

OF_ALL = "cameras are changed by those who see all cameras"
"""Why who changes them sees all cameras."""

Name = Annotated[str, Field(min_length=1, max_length=100)]
Asked = Annotated[str, Query(min_length=1, max_length=100)]
Short = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=500)]
Seconds = Annotated[float, Field(ge=-1e12, le=1e12)]

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """A camera: its name and address, with user and password in the address or beside it."""

    camera: Name
    address: Annotated[str, Field(max_length=2000)]
    username: Short = ""
    password: Short = ""
    detector: Short = ""

    def form(self) -> CameraForm:
        """Return it as a form."""
        return CameraForm(self.camera, self.address, self.username, self.password, self.detector)


@dataclass(frozen=True, slots=True)
class NewCamera(CameraAddress):
    """A camera to add or to change, and why; ``event_at`` for runs of recordings, ``force`` although it is away."""

    reason: Reason = ""
    event_at: Seconds | None = None
    force: bool = False


class CameraRoutes:
    """Routes of the cameras. They need an administrator who sees all of them.

    Args:
        state: State of the page.
        cameras: Of the run.
    """

    def __init__(self, state: AppState, cameras: SiteCameras) -> None:
        self._state = state
        self._cameras = cameras

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/cameras", tags=["cameras"])
        add = router.add_api_route
        add("", self.cameras, methods=["GET"], summary="List the cameras, the state of each, and what was changed")
        add("", self.add, methods=["POST"], summary="Add a camera to the run, and keep it for the next")
        add("", self.change, methods=["PUT"], summary="Change the address or the detector of a camera")
        add("", self.remove, methods=["DELETE"], summary="Remove a camera from the run, and from the next")
        add("/again", self.add_again, methods=["POST"], summary="Add a camera again that was removed")
        add("/try", self.trial, methods=["POST"], summary="Get a test picture of an address, its size and its rate")
        return router

    def cameras(self, user: Administrator) -> dict[str, Any]:
        """The cameras, those that were removed included, without their passwords; and the changes, newest first."""
        check_sees_all(user, OF_ALL)
        return self._answered(lambda: {"cameras": self._cameras.rows(), "history": self._cameras.history()})

    def trial(self, user: Administrator, camera: CameraAddress) -> dict[str, Any]:
        """The first picture (JPEG, base64), its size, the rate, and what is wrong; 422 with a line if there is none."""
        check_sees_all(user, OF_ALL)
        self._state.notes.audit(user.name, "camera tried", f"{camera.camera}: {redact_url(camera.address)}")
        return self._answered(lambda: self._cameras.trial(camera.form()))

    def add(self, user: Administrator, camera: NewCamera) -> dict[str, str]:
        """Add a camera; the run opens it. 422 with a line that says why not."""
        check_sees_all(user, OF_ALL)
        return self._answered(
            lambda: self._cameras.add(
                camera.form(), by=user.name, reason=camera.reason, event_at=camera.event_at, force=camera.force
            )
        )

    def change(self, user: Administrator, camera: NewCamera) -> dict[str, str]:
        """Change a camera: it is removed and added, if its test picture is there. Its tracks are new."""
        check_sees_all(user, OF_ALL)
        return self._answered(lambda: self._cameras.change(camera.form(), by=user.name, reason=camera.reason))

    def add_again(
        self, user: Administrator, camera: Asked, reason: Annotated[str, Query(max_length=500)] = ""
    ) -> dict[str, str]:
        """Add a camera again as it was before it was removed."""
        check_sees_all(user, OF_ALL)
        return self._answered(lambda: self._cameras.add_again(camera, by=user.name, reason=reason))

    def remove(
        self,
        user: Administrator,
        camera: Asked,
        reason: Annotated[str, Query(max_length=500)] = "",
        event_at: Annotated[float | None, Query(ge=-1e12, le=1e12)] = None,
    ) -> dict[str, str]:
        """Remove a camera; its open tracks end and are published."""
        check_sees_all(user, OF_ALL)
        return self._answered(lambda: self._cameras.remove(camera, by=user.name, reason=reason, event_at=event_at))

    def _answered(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
