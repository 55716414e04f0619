"""Routes of recorded video: what there is of each camera, and films of any span of it."""

import io
import re
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse

from connectors.console.api.permissions import Operator, Viewer
from connectors.console.store.accounts import User
from connectors.console.store.notes import NotesStore
from connectors.console.store.site import SiteReader
from connectors.footage.cutter import Film, cut
from connectors.recording.store import RecordingStore

Moment = Annotated[float, Query(ge=-1e15, le=1e15)]
Camera = Annotated[str, Query(min_length=1, max_length=200)]

MAX_LIST_S = 86400.0
"""Seconds of which spans are listed at once; more make the answer slower: a day of eight cameras has 69,000 segments
or more."""

MAX_PLAYED_S = 120.0
"""Seconds of a film to be played, which is made in memory; longer ones take more of it."""

MAX_EXPORTED_S = 3600.0
"""Seconds of a film to be saved; longer ones keep the disk busy for longer."""

BEGINS_AT = "x-begins-at"
"""Header of a film: Unix seconds, event time, of the moment that players show as 0 s."""

CHUNK = 1 << 20
"""Bytes of a film that are sent at once."""

TITLE = "passerby recording"


class RecordingRoutes:
    """Routes of recorded video.

    Args:
        recording: Opens the recorded video; None where the run has none.
        site: Says which cameras there are.
        notes: Writes the audit.
    """

    def __init__(self, recording: Callable[[], RecordingStore | None], site: SiteReader, notes: NotesStore) -> None:
        self._recording = recording
        self._site = site
        self._notes = notes

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/recordings", tags=["recordings"])
        add = router.add_api_route
        add("", self.recordings, methods=["GET"], summary="Get when each camera has recorded video")
        add("/spans", self.spans, methods=["GET"], summary="List the spans of which each camera has video")
        film, export = "Get up to two minutes of a camera, an MP4", "Export up to an hour of a camera, an MP4"
        add("/film.mp4", self.film, methods=["GET"], summary=film, response_class=Response)
        add("/export.mp4", self.export, methods=["GET"], summary=export, response_class=Response)
        return router

    def recordings(self, user: Viewer) -> dict[str, Any]:
        """From when to when there is video of each camera, Unix seconds of event time; null where there is none."""
        store = self._recording()
        return {
            "cameras": [
                {"camera": camera_id, "extent": None if store is None else store.extent(camera_id)}
                for camera_id in self._cameras(user)
            ]
        }

    def spans(self, user: Viewer, since: Moment, until: Moment) -> dict[str, Any]:
        """The spans of which there is video, of each camera that the user may see."""
        store = self._store(since, until, MAX_LIST_S)
        return {"spans": {camera_id: store.spans(camera_id, since, until) for camera_id in self._cameras(user)}}

    def film(self, user: Viewer, camera: Camera, since: Moment, until: Moment) -> Response:
        """A span of one camera to play; its header ``x-begins-at`` says when it begins."""
        store = self._store(since, until, MAX_PLAYED_S)
        into = io.BytesIO()
        found = self._cut(store, user, camera, (since, until), into)
        self._notes.audit_look(user.name, "recorded video", camera)
        headers = {BEGINS_AT: repr(found.begins_at), "cache-control": "no-store"}
        return Response(into.getvalue(), media_type="video/mp4", headers=headers)

    def export(self, user: Operator, camera: Camera, since: Moment, until: Moment) -> StreamingResponse:
        """A span of one camera to save; nobody in it is made unrecognisable."""
        store = self._store(since, until, MAX_EXPORTED_S)
        into = tempfile.TemporaryFile(dir=store.footage.folder)  # noqa: SIM115 - closed when it is sent
        try:
            self._cut(store, user, camera, (since, until), into)
        except HTTPException:
            into.close()
            raise
        self._notes.audit(user.name, "export", f"video of camera {camera} from {since:.3f} to {until:.3f}")
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{camera}-{since:.0f}.mp4")
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_sent(into), media_type="video/mp4", headers=headers)

    def _cameras(self, user: User) -> list[str]:
        return [camera_id for camera_id in self._site.site().cameras if user.sees(camera_id)]

    def _store(self, since: float, until: float, longest_s: float) -> RecordingStore:
        if not 0 < until - since <= longest_s:
            got = f"{until - since:g} s"
            raise HTTPException(422, f"until: expected a time after since, by at most {longest_s:g} s, got {got}")
        store = self._recording()
        if store is None:
            raise HTTPException(404, "this run has no recorded video; start it with the sink recording")
        return store

    @staticmethod
    def _cut(store: RecordingStore, user: User, camera: str, span: tuple[float, float], into: IO[bytes]) -> Film:
        film = None
        if user.sees(camera):
            film = cut(store.segments(camera, *span), *span, into, title=TITLE)
        if film is None:
            raise HTTPException(404, "there is no video of this camera and time")
        return film


def _sent(film: IO[bytes]) -> Iterator[bytes]:
    with film:
        film.seek(0)
        while chunk := film.read(CHUNK):
            yield chunk
