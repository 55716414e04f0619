"""Counters and gauges of a pipeline, for Prometheus."""

from collections.abc import Iterator, Mapping

from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus

COUNTERS = {
    "reid_frames_total": ("Frames by outcome: processed, dropped or bad.", ("camera", "outcome")),
    "reid_left_out_total": ("Frames or messages of a source that gave nothing, by reason.", ("camera", "reason")),
    "reid_frames_concealed_total": ("Frames of which the decoder made up a part.", ("camera",)),
    "reid_tracklets_total": ("Completed tracklets.", ("camera",)),
    "reid_reopens_total": ("Times that a camera broke and was opened again.", ("camera",)),
    "reid_sightings_total": ("Published sightings.", ()),
    "reid_corrections_total": ("Published corrections.", ()),
    "reid_alerts_total": ("Published alerts.", ()),
    "reid_late_total": ("Tracklets that arrived after their window had been processed.", ()),
    "reid_unusable_total": ("Tracklets that were left out because they were invalid.", ()),
    "reid_sink_retries_total": ("Batches that a sink did not accept at once.", ()),
    "reid_sink_given_up_total": ("Records that a sink gave up for good.", ("sink",)),
}
GAUGES = {
    "reid_frame_age_seconds": ("Time from when the newest tracked frame was due until it was tracked.", ("camera",)),
    "reid_open_tracks": ("Open tracks.", ("camera",)),
    "reid_identities": ("Known people.", ()),
    "reid_waiting_items": ("Tracklets that wait for slower cameras.", ()),
    "reid_calibration_labels": ("Pairs of tracks that were certainly two people.", ()),
    "reid_calibration_drift": (
        "Drift of the distances between different people since training, standard deviations.",
        (),
    ),
    "reid_sink_waiting": ("Records that a sink has not delivered yet.", ("sink",)),
    "reid_sink_refused": ("1 while a sink takes nothing; status.json says why.", ("sink",)),
    "reid_cameras_lost": ("Cameras that were given up.", ()),
    "reid_camera_away": (
        "1 while a camera gives no frames, its process does not answer, or it was given up.",
        ("camera",),
    ),
    "reid_camera_tampered": ("1 while the view is frozen, black, covered, defocused or moved.", ("camera",)),
    "reid_clock_ahead_seconds": ("How far a camera's clock is ahead of this machine's.", ("camera",)),
}
"""Name: description and labels, besides the site. No label names a person."""
LEFT_OUT = (
    *("image", "form", "size", "header", "key", "schema", "repeat"),
    *("of another camera", "without a value", "deleted by the broker", "dead letters lost"),
    "places where packets of the recording are missing",
)
"""Reasons of ``CameraStatus.left_out`` that our sources have. The counter of another one begins with its first count,
and Prometheus sees no increase."""


Sample = tuple[str, float, dict[str, str]]
"""Name, value and labels."""


def samples(cameras: Mapping[str, CameraStatus], match: MatchStatus, site: str) -> Iterator[Sample]:
    """Yield every counter and gauge of a site; counters are totals, and those of what has not happened are 0.

    Args:
        cameras: Their newest status.
        match: Newest status of the match actor.
        site: Name of the site; empty where the run has one.
    """
    for name, value, labels in (*_of_match(match), *_of_cameras(cameras)):
        yield name, float(value), {"site": site, **labels}


def _of_match(match: MatchStatus) -> Iterator[Sample]:
    yield "reid_sightings_total", match.num_sightings, {}
    yield "reid_corrections_total", match.num_corrections, {}
    yield "reid_alerts_total", match.num_alerts, {}
    yield "reid_late_total", match.num_late, {}
    yield "reid_sink_retries_total", match.num_sink_retries, {}
    yield "reid_unusable_total", match.num_unusable, {}
    yield "reid_calibration_labels", match.calibration_labels, {}
    yield "reid_calibration_drift", match.calibration_drift, {}
    yield "reid_identities", match.num_identities, {}
    yield "reid_waiting_items", match.num_waiting, {}
    for sink, report in match.sinks.items():
        yield "reid_sink_given_up_total", report.num_given_up, {"sink": sink}
        yield "reid_sink_waiting", report.num_waiting, {"sink": sink}
        yield "reid_sink_refused", report.refusal is not None, {"sink": sink}


def _of_cameras(cameras: Mapping[str, CameraStatus]) -> Iterator[Sample]:
    yield "reid_cameras_lost", sum(status.error is not None for status in cameras.values()), {}
    for camera_id, status in cameras.items():
        camera = {"camera": camera_id}
        yield "reid_frames_total", status.frames_processed, {**camera, "outcome": "processed"}
        yield "reid_frames_total", status.frames_dropped, {**camera, "outcome": "dropped"}
        yield "reid_frames_total", status.bad_frames, {**camera, "outcome": "bad"}
        for reason in dict.fromkeys((*LEFT_OUT, *status.left_out)):
            yield "reid_left_out_total", status.left_out.get(reason, 0), {**camera, "reason": reason}
        yield "reid_frames_concealed_total", status.frames_concealed, camera
        yield "reid_tracklets_total", status.tracklets, camera
        yield "reid_reopens_total", status.reopens, camera
        yield "reid_frame_age_seconds", status.lag_s, camera
        yield "reid_open_tracks", status.people_now, camera
        is_away = status.away is not None or status.is_silent or status.error is not None
        yield "reid_camera_away", is_away, camera
        yield "reid_camera_tampered", status.view_now is not None, camera
        yield "reid_clock_ahead_seconds", status.clock_ahead_s, camera


class RayMetrics:
    """Reports to Ray what changed since the last time. Used in a process that is part of a cluster."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge

        self._counters = {name: Counter(name, text, ("site", *labels)) for name, (text, labels) in COUNTERS.items()}
        self._gauges = {name: Gauge(name, text, ("site", *labels)) for name, (text, labels) in GAUGES.items()}
        self._reported: dict[tuple[str, ...], float] = {}

    def show(self, cameras: Mapping[str, CameraStatus], match: MatchStatus, site: str = "") -> None:
        """Report the newest status; ``site`` is empty where the run has one site."""
        for name, value, labels in samples(cameras, match, site):
            if name in self._gauges:
                self._gauges[name].set(value, labels)
            else:
                self._count(name, value, labels)

    def _count(self, name: str, total: float, labels: dict[str, str]) -> None:
        key = (name, *labels.values())
        added = total - self._reported.get(key, 0.0)
        if added > 0 or key not in self._reported:
            self._counters[name]._record(max(0.0, added), labels)  # inc() refuses the 0 that a series begins with
            self._reported[key] = total
