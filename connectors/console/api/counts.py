"""Routes of counts: rows as JSON, and metrics for Prometheus."""

import threading
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from connectors.console.api.permissions import Viewer, check_sees_all
from connectors.console.known_keys import known_keys
from connectors.console.store.accounts import User
from connectors.counting.reader import CountReader
from pipeline.core.errors import ConfigError
from pipeline.counts.heat import CELL_M, NUM_ACROSS
from pipeline.ledger.messages import CountKind

Moment = Annotated[float | None, Query(ge=-1e15, le=1e15)]

MAX_ROWS = 20_000
"""Rows of one answer, at most, the newest; more would be tens of megabytes."""


class CountRoutes:
    """Routes of counts. They need a user who sees all cameras, because a count is of several.

    Args:
        folder: Output folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader: CountReader | None = None
        self._reading = threading.Lock()

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/counts", tags=["counts"], dependencies=[Depends(known_keys)])
        about = "Count people at lines, in zones and cameras, between them, and visitors"
        router.add_api_route("", self.counts, methods=["GET"], summary=about)
        metrics = "The same as metrics, in the text format of Prometheus"
        router.add_api_route(
            "/metrics", self.metrics, methods=["GET"], summary=metrics, response_class=Response, response_model=None
        )
        about = "Where people stood, in person-seconds: cells of the ground in metres, or of pictures"
        router.add_api_route("/heat", self.heat, methods=["GET"], summary=about)
        return router

    def counts(
        self,
        user: Viewer,
        every: Annotated[float, Query(ge=1, le=31 * 86400)] = 60.0,
        since: Moment = None,
        until: Moment = None,
        kind: CountKind | None = None,
    ) -> dict[str, Any]:
        """Counts of each interval of ``every`` seconds, after all corrections; times are Unix seconds of event time."""
        with self._reading:
            reader = self._opened(user)
            rows = reader.rows(
                every_s=every,
                since=float("-inf") if since is None else since,
                until=float("inf") if until is None else until,
            )
        chosen = [row for row in rows if kind is None or row["kind"] == kind]
        return {"rows": chosen[-MAX_ROWS:], "num": len(chosen)}

    def heat(self, user: Viewer, since: Moment = None, until: Moment = None) -> dict[str, Any]:
        """The heat map: by camera, empty for the ground, cells as [column, row, person-seconds].

        A cell of the ground is ``cell_m`` wide; a picture is ``num_across`` cells wide.
        """
        with self._reading:
            reader = self._opened(user)
            found = reader.heat(
                since=float("-inf") if since is None else since, until=float("inf") if until is None else until
            )
        return {"cell_m": CELL_M, "num_across": NUM_ACROSS, "planes": found}

    def metrics(self, user: Viewer) -> Response:
        """Metrics of the newest moment."""
        with self._reading:
            return Response(self._opened(user).exposition(), media_type="text/plain; version=0.0.4")

    def _opened(self, user: User) -> CountReader:
        check_sees_all(user, "counts are of all cameras")
        if self._reader is None:
            try:
                self._reader = CountReader(self._folder)
            except ConfigError as error:
                raise HTTPException(404, "this run counts nothing; start it with sink=[…,counts]") from error
        return self._reader
