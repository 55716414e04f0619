"""Routes of alerts: their current state, acknowledgements, comments and muted rules."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import FileResponse
from pydantic import Field

from connectors.alerting.picture_store import AlertPictureStore
from connectors.console.api.permissions import Operator, Viewer, check_sees_all
from connectors.console.known_keys import known_keys
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.notes import NotesStore
from connectors.console.store.pictures import PictureStore
from pipeline.core import Alert, AlertState, TrackId

NO_ALERT = "there is no such alert"

Key = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Filter = Annotated[str | None, Query(max_length=200)]
AlertFilter = Literal["raised", "amended", "ended", "acknowledged", "retracted"]
Moment = Annotated[float | None, Query(ge=-1e15, le=1e15)]


@dataclass(frozen=True, slots=True)
class AlertKey:
    """The key of an alert."""

    key: Key


@dataclass(frozen=True, slots=True)
class AlertKeys:
    """The keys of some alerts."""

    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on an alert."""

    key: Key
    text: Text


@dataclass(frozen=True, slots=True)
class Mute:
    """A rule to mute for some seconds; 0: unmute it."""

    rule: Annotated[str, Field(min_length=1, max_length=200)]
    seconds: Annotated[float, Field(ge=0, le=31 * 86400)]


class AlertRoutes:
    """Routes of alerts.

    Args:
        ledger_view: The ledger.
        pictures: Pictures of sightings.
        notes: Notes of operators.
        scenes: Returns the pictures for alerts; None where the run keeps none.
        output_dir: Output folder of the run, with the clips for alerts.
    """

    def __init__(
        self,
        ledger_view: LedgerView,
        pictures: PictureStore,
        notes: NotesStore,
        scenes: Callable[[], AlertPictureStore | None],
        output_dir: Path,
    ) -> None:
        self._output_dir = output_dir
        self._scenes = scenes
        self._ledger_view = ledger_view
        self._pictures = pictures
        self._notes = notes

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/alerts", tags=["alerts"], dependencies=[Depends(known_keys)])
        add = router.add_api_route
        add("", self.alerts, methods=["GET"], summary="List alerts with their current state, newest first")
        scene = "Get the picture of an alert: the scene with box, zones and lines"
        add("/scene", self.scene, methods=["GET"], summary=scene, response_class=Response)
        clip = "Get the clip of an alert: the seconds around it"
        add("/clip", self.clip, methods=["GET"], summary=clip, response_class=FileResponse, response_model=None)
        add("/acknowledge", self.acknowledge, methods=["POST"], summary="Acknowledge an alert")
        add("/acknowledge-all", self.acknowledge_all, methods=["POST"], summary="Acknowledge several alerts")
        add("/take-back", self.take_back, methods=["POST"], summary="Make acknowledged alerts open again")
        add("/comment", self.comment, methods=["POST"], summary="Comment on an alert")
        add("/mute", self.mute, methods=["POST"], summary="Mute a rule for some time")
        return router

    def alerts(
        self,
        user: Viewer,
        rule: Filter = None,
        camera: Filter = None,
        since: Moment = None,
        until: Moment = None,
        state: Annotated[AlertFilter | None, Query()] = None,
        key: Annotated[str | None, Query(max_length=500)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    ) -> dict[str, Any]:
        """Alerts with their current state, newest first; times are Unix seconds of event time.

        An alert is ``ended`` if it is open and what it is about is over; it is ``amended`` too.
        """
        visible = [alert for alert in self._ledger_view.alerts() if user.sees(alert.camera_id)]
        chosen = [
            alert
            for alert in visible
            if (rule is None or alert.rule == rule)
            and (key is None or alert.key == key)
            and (camera is None or alert.camera_id == camera)
            and (since is None or alert.raised_at >= since)
            and (until is None or alert.raised_at <= until)
        ]
        retraction, acknowledged = self._ledger_view.last_retraction, self._notes.all_acknowledged()
        states = {each.key: _state(each, acknowledged.get(each.key, 0) > retraction(each.key)) for each in chosen}
        num_open = sum(each in OPEN for each in states.values())
        chosen = [alert for alert in chosen if state is None or _is_in(alert, states[alert.key], state)]
        muted = self._notes.muted()
        rules = sorted({alert.rule for alert in visible})
        return {
            "alerts": [self._shown(alert, user) for alert in chosen[offset : offset + limit]],
            "num": len(chosen),
            "num_open": num_open,
            "rules": rules,
            "muted": {rule: until for rule, until in muted.items() if rule in rules or user.cameras is None},
        }

    def scene(self, user: Viewer, key: Annotated[str, Query(min_length=1, max_length=500)]) -> Response:
        """The scene of an alert, a JPEG, of a run with the sink alert_pictures."""
        alert = self._alert(key, user)
        scenes = self._scenes()
        picture = None if scenes is None else scenes.nearest(_evidence(alert, user), alert.raised_at)
        if picture is None or alert.state is AlertState.RETRACTED:
            raise HTTPException(404, "there is no picture of this alert")
        return Response(picture.scene, media_type="image/jpeg", headers={"cache-control": "private, max-age=60"})

    def clip(self, user: Viewer, key: Annotated[str, Query(min_length=1, max_length=500)]) -> FileResponse:
        """The clip of an alert, an MP4, of a run with the sink alert_clips; some seconds after it was raised."""
        alert = self._alert(key, user)
        path = self._clip_of(alert)
        if path is None:
            raise HTTPException(404, "there is no clip of this alert")
        return FileResponse(path, media_type="video/mp4", headers={"cache-control": "private, no-store"})

    def acknowledge(self, user: Operator, which: AlertKey) -> dict[str, Any]:
        """Acknowledge an alert: the user who asks handles it, and is its owner; 409 if it has another, or is retracted.

        Acknowledging it again as the same user changes nothing.
        """
        alert = self._alert(which.key, user)
        if (why := self._acknowledge(alert, user)) is not None:
            raise HTTPException(409, why)
        self._notes.audit(user.name, "alert acknowledged", alert.key)
        return self._shown(alert, user)

    def acknowledge_all(self, user: Operator, which: AlertKeys) -> dict[str, Any]:
        """Acknowledge several alerts at once; ``left_out`` says of those that were not why not."""
        known = {alert.key: alert for alert in self._ledger_view.alerts() if user.sees(alert.camera_id)}
        refused = {
            key: self._acknowledge(known[key], user) if key in known else NO_ALERT for key in dict.fromkeys(which.keys)
        }
        keys = [key for key, why in refused.items() if why is None]
        if keys:
            self._notes.audit(user.name, "alerts acknowledged", f"{len(keys)}: {', '.join(keys[:5])}")
        return {
            "acknowledged": keys,
            "left_out": [{"key": key, "why": why} for key, why in refused.items() if why is not None],
        }

    def take_back(self, user: Operator, which: AlertKeys) -> dict[str, Any]:
        """Make acknowledged alerts open again."""
        keys = [self._alert(key, user).key for key in which.keys]
        for key in keys:
            self._notes.take_back(key)
        self._notes.audit(user.name, "acknowledgement taken back", ", ".join(keys[:5]))
        return {"open": keys}

    def comment(self, user: Operator, comment: Comment) -> dict[str, Any]:
        """Comment on an alert."""
        alert = self._alert(comment.key, user)
        self._notes.comment(alert.key, user.name, comment.text)
        self._notes.audit(user.name, "alert commented", alert.key)
        return self._shown(alert, user)

    def mute(self, user: Operator, mute: Mute) -> dict[str, Any]:
        """Mute a rule for all users; its alerts stay in the list. Needs a user who sees all cameras."""
        check_sees_all(user, "a rule is muted for all cameras")
        self._notes.mute(mute.rule, time.time() + mute.seconds, user.name)
        self._notes.audit(user.name, "rule muted", f"{mute.rule} for {mute.seconds:g} s")
        return {"muted": self._notes.muted()}

    def _owner(self, alert: Alert) -> str | None:
        retraction = self._ledger_view.last_retraction(alert.key)
        acknowledged = self._notes.acknowledged(alert.key, retraction=retraction)
        return None if acknowledged is None else str(acknowledged["by"])

    def _acknowledge(self, alert: Alert, user: User) -> str | None:
        """Acknowledge an alert, and return None; or return why not. Of two users at once the first is its owner."""
        if alert.state is AlertState.RETRACTED:
            return "it proved false and was retracted; nobody needs to handle it"
        retraction = self._ledger_view.last_retraction(alert.key)
        self._notes.acknowledge(alert.key, user.name, revision=alert.revision, retraction=retraction)
        owner = self._owner(alert)
        if owner in (None, user.name):
            return None
        return f"{owner} handles it; 'Open again' (POST /api/alerts/take-back) takes that back"

    def _alert(self, key: str, user: User) -> Alert:
        for alert in self._ledger_view.alerts():
            if alert.key == key and user.sees(alert.camera_id):
                return alert
        raise HTTPException(404, NO_ALERT)

    def _clip_of(self, alert: Alert) -> Path | None:
        """Return the clip of an alert; None while it is not cut, and where it was erased or is kept no longer."""
        path = self._output_dir / alert.clip
        return path if alert.clip and alert.state is not AlertState.RETRACTED and path.is_file() else None

    def _shown(self, alert: Alert, user: User) -> dict[str, Any]:
        evidence = _evidence(alert, user)
        track_id = evidence[0] if evidence else None
        qualities = {} if track_id is None else self._pictures.qualities(track_id)
        retraction = self._ledger_view.last_retraction(alert.key)
        acknowledged = self._notes.acknowledged(alert.key, retraction=retraction)
        state = _state(alert, acknowledged is not None)
        return {
            "key": alert.key,
            "rule": alert.rule,
            "severity": alert.severity,
            "state": state,
            "person": self._ledger_view.current_id(alert.person_id),
            "camera": alert.camera_id,
            "track": None if track_id is None else str(track_id),
            "picture": {"track": str(track_id), "part": max(qualities, key=qualities.__getitem__)}
            if qualities
            else None,
            "started_at": alert.started_at,
            "raised_at": alert.raised_at,
            "ended_at": alert.ended_at,
            "place": alert.place,
            "count": alert.count,
            "message": _message(alert, user),
            "has_scene": self._scenes() is not None and alert.state is not AlertState.RETRACTED and bool(evidence),
            "has_clip": self._clip_of(alert) is not None,
            "acknowledged": acknowledged,
            "comments": self._notes.comments(alert.key),
        }


def _evidence(alert: Alert, user: User) -> list[TrackId]:
    """Return the tracks of an alert that a user may see; first those of its camera, the newest of them first."""
    seen = [track_id for track_id in reversed(alert.evidence) if user.sees(track_id.camera_id)]
    return sorted(seen, key=lambda track_id: track_id.camera_id != alert.camera_id)


def _message(alert: Alert, user: User) -> str:
    """Return the message of an alert without the names of cameras that a user may not see."""
    message = alert.message
    for camera_id in {track_id.camera_id for track_id in alert.evidence if not user.sees(track_id.camera_id)}:
        message = message.replace(repr(camera_id), "another camera")
    return message


OPEN = (AlertState.RAISED, AlertState.AMENDED)
"""States of an alert that waits for an operator."""


def _state(alert: Alert, is_acknowledged: bool) -> AlertState:
    is_retracted = alert.state is AlertState.RETRACTED
    return AlertState.ACKNOWLEDGED if is_acknowledged and not is_retracted else alert.state


def _is_in(alert: Alert, now: AlertState, asked: AlertFilter) -> bool:
    """Return whether an alert, whose state is ``now``, is in the state that is asked for."""
    if asked == "ended":
        return now is AlertState.AMENDED and alert.ended_at is not None
    return now.value == asked
