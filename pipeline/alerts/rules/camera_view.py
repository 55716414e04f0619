"""Something is wrong with the view of a camera."""

from collections.abc import Iterable, Sequence

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.core import Alert, Sighting
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.records.view_event import ViewEventKind, ViewReport
from pipeline.core.serialisation import deserialise, serialise

MESSAGES = {
    ViewEventKind.FROZEN: "Camera {!r} sends the same picture again and again.",
    ViewEventKind.BLACK: "The picture of camera {!r} is black.",
    ViewEventKind.COVERED: "Camera {!r} is covered.",
    ViewEventKind.DEFOCUSED: "The picture of camera {!r} has lost its focus.",
    ViewEventKind.MOVED: "Camera {!r} shows another place than before; its zones and lines may not fit.",
    ViewEventKind.LOST: "Camera {!r} gives no pictures.",
}


class CameraViewRule:
    """Reports what is wrong with the view of a camera, from its beginning to its end. The alert is about the camera.

    What follows without a break is one alert: a camera that is turned away and then covered.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        kinds: What is reported: frozen, black, covered, defocused, moved, lost.
        cameras: Camera ids; empty for all.

    Raises:
        ConfigError: If a value is none of these.
    """

    def __init__(self, *, name: str, severity: str, kinds: Sequence[str], cameras: Sequence[str] = ()) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        if isinstance(kinds, str) or not kinds or not set(kinds) <= set(ViewEventKind):
            raise self._builder.wrong("kinds", f"some of {', '.join(ViewEventKind)}", kinds)
        if isinstance(cameras, str):
            raise self._builder.wrong("cameras", "a list of camera ids", cameras)
        self._kinds, self._cameras = frozenset(map(ViewEventKind, kinds)), frozenset(cameras)
        # By camera: what lasts, and since when, Unix seconds.
        self._lasting: dict[str, tuple[ViewEventKind, float]] = {}

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return nothing: people do not matter here."""
        return []

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing: cameras report what begins and what ends."""
        return []

    def on_view(self, report: ViewReport) -> Iterable[Alert]:
        """Report what begins, and what ends because it is over or something else begins."""
        camera_id, event = report.camera_id, report.event
        if (event is not None and event.kind not in self._kinds) or (self._cameras and camera_id not in self._cameras):
            return
        before = self._lasting.get(camera_id)
        is_same = event is not None and before == (event.kind, event.began_at)
        if before is not None and not is_same and (event is None or event.ended_at is None):
            del self._lasting[camera_id]
            yield self._report(camera_id, *before, report.completed_at, report.completed_at)
        if event is None:
            return
        if event.ended_at is None:
            self._lasting[camera_id] = event.kind, event.began_at
        elif is_same:
            del self._lasting[camera_id]
        yield self._report(camera_id, event.kind, event.began_at, report.completed_at, event.ended_at)

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report what lasts as over: nobody looks any more."""
        lasting, self._lasting = self._lasting, {}
        return [
            self._report(camera_id, kind, since, max(at, since), max(at, since))
            for camera_id, (kind, since) in lasting.items()
        ]

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise(self._lasting)

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._lasting = deserialise(state, dict[str, tuple[ViewEventKind, float]])

    def _report(
        self, camera_id: str, kind: ViewEventKind, since: float, raised_at: float, ended_at: float | None
    ) -> Alert:
        return self._builder.build_for(
            NOBODY_IN_PARTICULAR,
            camera_id,
            place=camera_id,
            started_at=since,
            raised_at=max(since, raised_at),
            ended_at=ended_at,
            message=MESSAGES[kind].format(camera_id),
        )
