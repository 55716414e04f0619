"""Routes of the site: zones, lines and rules are edited, checked, tried on the run, saved, and taken back."""

import difflib
import hashlib
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, HTTPException, Path, Query, Response
from pydantic import Field

from connectors.console.api.permissions import Administrator, check_sees_all
from connectors.console.app_state import AppState
from connectors.console.site_editing.cameras import SiteCameras
from connectors.console.site_editing.checks import RuleTools
from connectors.console.site_editing.ground_points import ground_plane
from connectors.console.site_editing.kept_cameras import cameras_of, with_cameras
from connectors.console.site_editing.learned import offsets_of
from connectors.console.site_editing.still import still
from connectors.console.store.accounts import User
from pipeline.core.errors import ConfigError, DataError, ReidError

MAX_TEXT = 250_000
"""Characters of a file of edits; a site of 200 cameras has 40,000."""

MAX_POINTS = 200
"""Points of one ground plane."""

MAX_ALERTS_SHOWN = 200
"""Alerts of a trial in one answer, the newest."""

UNLIMITED = "unlimited"
"""What stands for an infinite number in an answer; in a file of edits it is ``.inf``."""

OF_ALL = "rules are of all cameras"
"""Why who edits them sees all cameras."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Number = Annotated[int, Path(ge=1, le=2**62)]
Pair = Annotated[tuple[Annotated[float, Field(ge=-1e6, le=1e6)], ...], Field(min_length=2, max_length=2)]


@dataclass(frozen=True, slots=True)
class Edits:
    """A file of edits, YAML."""

    rules: Text


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A file of edits to save, why, and the number of the version that was edited."""

    rules: Text
    base: Annotated[int, Field(ge=0, le=2**62)]
    reason: Annotated[str, Field(max_length=500)] = ""


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a picture, pixels, and where each is on the ground, metres."""

    pixels: Annotated[tuple[Pair, ...], Field(max_length=MAX_POINTS)]
    metres: Annotated[tuple[Pair, ...], Field(max_length=MAX_POINTS)]


class RuleRoutes:
    """Routes of the site's rules. They need an administrator who sees all cameras.

    Args:
        state: State of the page.
        cameras: Of the run; live ones are read anew where their offsets change.
    """

    def __init__(self, state: AppState, cameras: SiteCameras) -> None:
        self._state = state
        self._cameras = cameras
        self._tools = RuleTools(state.settings.output_dir)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/rules", tags=["rules"])
        add = router.add_api_route
        add("", self.rules, methods=["GET"], summary="Get zones, lines and rules as they are edited, and every version")
        add("", self.save, methods=["PUT"], summary="Save zones, lines and rules; the run follows them")
        add(
            "/check",
            self.check,
            methods=["POST"],
            summary="Check zones, lines and rules as a run does, and show what changes",
        )
        add("/try", self.trial, methods=["POST"], summary="Tell which alerts they would have raised over this run")
        add("/ground", self.ground, methods=["POST"], summary="Get the ground plane of a camera from points")
        picture = "Get a picture of a camera's recording, to draw on"
        add("/picture", self.picture, methods=["GET"], summary=picture, response_class=Response)
        add("/{number}", self.version, methods=["GET"], summary="Get a version, and what it changed")
        add("/{number}/restore", self.restore, methods=["POST"], summary="Save an earlier version once more")
        return router

    def rules(self, user: Administrator) -> dict[str, Any]:
        """The rules as they are edited, each rule that there is, and the versions, newest first."""
        check_sees_all(user, OF_ALL)
        store = self._state.rules()
        versions = store.versions()
        text = store.text()
        return {
            **self._checked(text),
            "number": versions[0].number if versions else 0,
            "versions": [{key: value for key, value in asdict(each).items() if key != "text"} for each in versions],
            "path": str(store.path),
            "state": self._state_of(text),
        }

    def check(self, user: Administrator, edits: Edits) -> dict[str, Any]:
        """The edits as a run reads them, and their difference from what holds; 422 with the key that is wrong."""
        check_sees_all(user, OF_ALL)
        checked = self._edited(edits.rules)
        before = self._checked(self._state.rules().text())["text"]
        return {**checked, "diff": _diff(before, checked["text"])}

    def save(self, user: Administrator, new: NewVersion) -> dict[str, Any]:
        """Save edits as a new version; 409 if somebody else saved one meanwhile."""
        check_sees_all(user, OF_ALL)
        return self.saved(user, self._edited(new.rules)["text"], new.reason, new.base)

    def restore(
        self, user: Administrator, number: Number, base: Annotated[int, Query(ge=0, le=2**62)]
    ) -> dict[str, Any]:
        """Save an earlier version as the newest; the cameras stay as they are."""
        check_sees_all(user, OF_ALL)
        text = with_cameras(self._version(number), cameras_of(self._state.rules().text()))
        return self.saved(user, text, f"version {number} again", base)

    def version(self, user: Administrator, number: Number) -> dict[str, Any]:
        """A version, and its difference from the one before."""
        check_sees_all(user, OF_ALL)
        text = self._version(number)
        before = [each.text for each in self._state.rules().versions() if each.number < number][:1]
        return {"text": text, "diff": _diff(before[0] if before else text, text)}

    def trial(self, user: Administrator, edits: Edits) -> dict[str, Any]:
        """Alerts by rule that edits would have raised over the run, those of what holds now, and the newest of them."""
        check_sees_all(user, OF_ALL)
        checked = self._edited(edits.rules)["text"]
        try:
            found = self._tools.replay(checked)
            now = self._tools.replay(self._checked(self._state.rules().text())["text"])
        except ConfigError as error:
            raise HTTPException(409, str(error)) from error
        self._state.notes.audit(user.name, "rules tried", f"{len(found)} alerts")
        keys = ("rule", "message", "camera_id", "place", "person_id", "started_at", "raised_at", "severity")
        return {
            "num": Counter(alert["rule"] for alert in found),
            "num_now": Counter(alert["rule"] for alert in now),
            "alerts": [{key: alert.get(key) for key in keys} for alert in found[::-1][:MAX_ALERTS_SHOWN]],
        }

    def ground(self, user: Administrator, points: Points) -> dict[str, Any]:
        """The homography from pixels to metres, and the error of each point."""
        check_sees_all(user, OF_ALL)
        try:
            return asdict(ground_plane(points.pixels, points.metres))
        except DataError as error:
            raise HTTPException(422, str(error)) from error

    def picture(self, user: Administrator, camera: Annotated[str, Query(max_length=200)]) -> Response:
        """The first picture of a camera's recording, a JPEG."""
        check_sees_all(user, OF_ALL)
        try:
            masks = self._checked(self._state.rules().text())["edits"]["site"]["masks"]
            jpeg = still(self._state.settings.output_dir / "config.yaml", camera, masks)
        except ReidError as error:
            raise HTTPException(404, str(error)) from error
        self._state.notes.audit_look(user.name, "a picture of camera", camera)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

    def saved(self, user: User, text: str, reason: str, base: int) -> dict[str, Any]:
        """Save edits as a new version; live cameras whose offset changes are read anew, and ``cameras`` says so."""
        checked, store = self._checked(text), self._state.rules()
        try:
            before = self._checked(store.text())["text"]
            number = store.save(checked["text"], before, by=user.name, reason=reason, base=base)
        except DataError as error:
            raise HTTPException(409, str(error)) from error
        self._state.notes.audit(
            user.name, "rules saved", f"version {number}: {reason}" if reason else f"version {number}"
        )
        before_s, now_s = offsets_of(before), offsets_of(checked["text"])
        changed = [each for each in before_s.keys() | now_s.keys() if before_s.get(each) != now_s.get(each)]
        return {
            "number": number,
            "text": checked["text"],
            "state": self._state_of(checked["text"]),
            "cameras": self._cameras.read_anew(sorted(changed), by=user.name, reason=reason) if changed else {},
        }

    def whole(self) -> dict[str, Any]:
        """Return the edits that hold now, as values, whole."""
        found: dict[str, Any] = self._checked(self._state.rules().text())
        return dict(yaml.safe_load(found["text"]))

    def _edited(self, text: str) -> dict[str, Any]:
        """Return edits that somebody made, checked; 422 if they cannot be used, or change a camera."""
        checked = self._checked(text)
        if cameras_of(checked["text"]) != cameras_of(self._state.rules().text()):
            raise HTTPException(422, "site.cameras: cameras are changed in their own form; leave them as they are")
        return checked

    def _checked(self, text: str) -> dict[str, Any]:
        try:
            found = self._tools.check(text)
        except DataError as error:
            raise HTTPException(404, str(error)) from error
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
        return {**found, "edits": finite(found["edits"]), "templates": finite(found["templates"])}

    def _version(self, number: int) -> str:
        for version in self._state.rules().versions():
            if version.number == number:
                return version.text
        raise HTTPException(404, "there is no such version")

    def _state_of(self, text: str) -> dict[str, str]:
        """Return whether the run follows a text: applied, waiting, refused (with the reason), or next_start."""
        if not text:
            return {"name": "applied", "reason": ""}
        if not self._state.is_live:
            return {"name": "next_start", "reason": ""}
        digest = hashlib.sha256(text.encode()).hexdigest()
        told = {each.action.split()[0]: each for each in self._state.ledger_view.audit() if each.by == "configuration"}
        rules, masks = told.get("rules"), told.get("masks")
        for each in (rules, masks):  # the newest of each kind: the matcher follows rules, cameras follow masks
            if each is not None and each.action.endswith(" refused"):
                return {"name": "refused", "reason": each.subject}
        is_applied = rules is not None and rules.subject == digest
        return {"name": "applied" if is_applied else "waiting", "reason": ""}


def finite(value: Any) -> Any:
    """Return values with ``UNLIMITED`` for infinite numbers, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return UNLIMITED if value == math.inf else value


def _diff(before: str, after: str) -> list[str]:
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2))
