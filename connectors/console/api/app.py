"""The web application of the page: its routes, its error answers, and the task that follows the ledger."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from connectors.console.api.accounts import AccountRoutes
from connectors.console.api.alerts import AlertRoutes
from connectors.console.api.clips import ClipRoutes
from connectors.console.api.corrections import CorrectionRoutes
from connectors.console.api.counts import CountRoutes
from connectors.console.api.curl_examples import add_examples
from connectors.console.api.health import HealthRoutes
from connectors.console.api.live import LiveRoutes
from connectors.console.api.page_files import PageFiles
from connectors.console.api.people import PeopleRoutes
from connectors.console.api.privacy import PrivacyRoutes
from connectors.console.api.recordings import RecordingRoutes
from connectors.console.api.review import ReviewRoutes
from connectors.console.api.rules import RuleRoutes
from connectors.console.api.search import SearchRoutes
from connectors.console.api.security_middleware import SecurityMiddleware
from connectors.console.app_state import AppState
from connectors.console.sign_in.oidc_routes import OidcRoutes
from connectors.console.sign_in.second_factor_routes import SecondFactorRoutes
from connectors.console.site_editing.camera_routes import CameraRoutes
from connectors.console.site_editing.cameras import SiteCameras
from connectors.console.site_editing.floor_plan_routes import FloorPlanRoutes
from connectors.console.site_editing.kept_cameras import KeptCameras
from connectors.console.site_editing.learned_routes import LearnedRoutes
from connectors.console.validation import sentence
from connectors.console.walks.routes import WalkRoutes
from connectors.console.watchlist.routes import WatchlistRoutes
from pipeline.core.errors import ConnectorError

logger = logging.getLogger(__name__)


def make_app(state: AppState, feed_key: str) -> FastAPI:
    """Return the web application of the page.

    Args:
        state: State of the page.
        feed_key: Key that a camera must present.
    """
    live = LiveRoutes(state, feed_key)
    kept = KeptCameras(state.settings.output_dir, state.rules)
    cameras = SiteCameras(state.settings.output_dir, kept, state.check_camera)
    rules = RuleRoutes(state, cameras)
    is_tls = state.settings.certificate is not None
    oidc = None if state.provider is None else OidcRoutes(state.provider, state.accounts, state.sessions, state.notes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = [asyncio.create_task(live.follow()), asyncio.create_task(kept.follow())]
        if oidc is not None:
            following.append(asyncio.create_task(oidc.follow()))
        try:
            yield
        finally:
            for task in following:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    app = FastAPI(
        title="Passerby",
        version="1",
        description="Where each person went, why the pipeline decided so, and the means to correct it.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.sessions = state.sessions
    app.add_middleware(SecurityMiddleware, hosts=state.settings.allowed_hosts, is_tls=is_tls)
    app.add_exception_handler(ConnectorError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    for routes in (
        AccountRoutes(state.accounts, state.sessions, state.notes, state.site_file),
        SecondFactorRoutes(state.accounts, state.sessions, state.notes),
        AlertRoutes(state.ledger_view, state.pictures, state.notes, state.alert_pictures, state.settings.output_dir),
        PeopleRoutes(state.ledger_view, state.pictures, state.notes),
        ClipRoutes(state.ledger_view, state.pictures, state.notes),
        CountRoutes(state.settings.output_dir),
        RecordingRoutes(state.recording, state.site_file, state.notes),
        SearchRoutes(state),
        CorrectionRoutes(state),
        ReviewRoutes(state),
        HealthRoutes(state),
        PrivacyRoutes(state),
        rules,
        LearnedRoutes(state, rules),
        CameraRoutes(state, cameras),
        FloorPlanRoutes(state),
        WatchlistRoutes(state),
        WalkRoutes(state.ledger_view, state.site_file, state.notes),
        live,
        *(() if oidc is None else (oidc,)),
        PageFiles(),
    ):
        app.include_router(routes.router())
    described = app.openapi
    app.openapi = lambda: add_examples(described())  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'page'}_{route.name}"


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    logger.error("the page cannot answer: %s", error)
    return JSONResponse({"detail": "the ledger or a file of the page is not available now; see the log"}, 503)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Answer what was expected in which field, but not what was given: it may be a password."""
    assert isinstance(error, RequestValidationError)
    found = [{"loc": each["loc"], "msg": sentence(each), "type": each["type"]} for each in error.errors()]
    return JSONResponse({"detail": found}, 422)
