"""Routes of the floor plan: its upload, its scale, and its picture."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from connectors.console.api.permissions import Administrator, Viewer, check_sees_all
from connectors.console.api.upload import ACCEPTED, UPLOADED, read_upload
from connectors.console.app_state import AppState
from connectors.console.site_editing.floor_plan import FloorPlanFile
from connectors.console.store.accounts import User
from pipeline.core.errors import DataError

OF_ALL = "the floor plan is of all cameras"
"""Why who sees it sees all cameras."""

Pixels = Annotated[tuple[Annotated[float, Field(ge=0, le=1e5)], ...], Field(min_length=2, max_length=2)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Two points of the picture, pixels, and how far they are from each other, metres."""

    first_px: Pixels
    second_px: Pixels
    length_m: Annotated[float, Field(gt=0, le=10_000)]


class FloorPlanRoutes:
    """Routes of the floor plan. Who sees all cameras sees it; administrators change it.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/floor-plan", tags=["floor plan"])
        add = router.add_api_route
        upload = f"Upload the floor plan: {ACCEPTED}"
        add("", self.plan, methods=["GET"], summary="Get the size and the scale of the floor plan")
        add("", self.put, methods=["POST"], summary=upload, openapi_extra={"requestBody": UPLOADED})
        add("", self.drop, methods=["DELETE"], summary="Delete the floor plan")
        add("/scale", self.scale, methods=["POST"], summary="State the scale by two points and a length")
        add("/picture", self.picture, methods=["GET"], summary="Get the picture, a PNG", response_class=Response)
        return router

    def plan(self, user: Viewer) -> dict[str, Any]:
        """Width and height, pixels, and metres a pixel; nothing without a plan."""
        check_sees_all(user, OF_ALL)
        plan = self._file().plan()
        return {} if plan is None else asdict(plan)

    def picture(self, user: Viewer) -> Response:
        """The picture as it was encoded here."""
        check_sees_all(user, OF_ALL)
        data = self._file().picture()
        if data is None:
            raise HTTPException(404, "there is no floor plan")
        return Response(data, media_type="image/png", headers={"cache-control": "no-store"})

    async def put(self, user: Administrator, request: Request) -> dict[str, Any]:
        """Take a picture: it is encoded anew, at most 1600 pixels a side, and has no scale yet."""
        check_sees_all(user, OF_ALL)
        return await run_in_threadpool(self._put, user, await request.body())

    def _put(self, user: User, data: bytes) -> dict[str, Any]:
        plan = self._file().put(read_upload(data))
        self._state.notes.audit(user.name, "floor plan", f"uploaded, {plan.width}x{plan.height}")
        return asdict(plan)

    def scale(self, user: Administrator, scale: Scale) -> dict[str, Any]:
        """State the scale; 422 where it cannot be one."""
        check_sees_all(user, OF_ALL)
        (x1, y1), (x2, y2) = scale.first_px, scale.second_px
        try:
            plan = self._file().set_scale((x1, y1), (x2, y2), scale.length_m)
        except DataError as error:
            raise HTTPException(422, str(error)) from error
        self._state.notes.audit(user.name, "floor plan", f"scale of {plan.metres_per_px:g} metres a pixel")
        return asdict(plan)

    def drop(self, user: Administrator) -> dict[str, Any]:
        """Delete the floor plan."""
        check_sees_all(user, OF_ALL)
        self._file().drop()
        self._state.notes.audit(user.name, "floor plan", "deleted")
        return {}

    def _file(self) -> FloorPlanFile:
        return FloorPlanFile(self._state.edits_path.parent)
