"""Counters and gauges of a pipeline, for Prometheus through Ray's endpoint."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial

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


class RayMetrics:
    """Reports to Ray what changed since the last time. Used in a process that is part of a cluster."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge

        self._counters = {name: Counter(name, text, ("site", *labels)) for name, (text, labels) in COUNTERS.items()}
        self._gauges = {name: Gauge(name, text, ("site", *labels)) for name, (text, labels) in GAUGES.items()}
        self._reported: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def show(self, cameras: Mapping[str, CameraStatus], match: MatchStatus, site: str = "") -> None:
        """Report the newest status; ``site`` is empty where the run has one site."""
        count, level = partial(self._count, site), partial(self._level, site)
        count("reid_sightings_total", match.num_sightings)
        count("reid_corrections_total", match.num_corrections)
        count("reid_alerts_total", match.num_alerts)
        count("reid_late_total", match.num_late)
        count("reid_sink_retries_total", match.num_sink_retries)
        count("reid_unusable_total", match.num_unusable)
        level("reid_calibration_labels", match.calibration_labels)
        level("reid_calibration_drift", match.calibration_drift)
        level("reid_identities", match.num_identities)
        level("reid_waiting_items", match.num_waiting)
        for sink, report in match.sinks.items():
            count("reid_sink_given_up_total", report.num_given_up, sink=sink)
            level("reid_sink_waiting", report.num_waiting, sink=sink)
            level("reid_sink_refused", report.refusal is not None, sink=sink)
        for camera, status in cameras.items():
            for outcome, number in (
                ("processed", status.frames_processed),
                ("dropped", status.frames_dropped),
                ("bad", status.bad_frames),
            ):
                count("reid_frames_total", number, camera=camera, outcome=outcome)
            for reason, number in status.left_out.items():
                count("reid_left_out_total", number, camera=camera, reason=reason)
            count("reid_frames_concealed_total", status.frames_concealed, camera=camera)
            count("reid_tracklets_total", status.tracklets, camera=camera)
            count("reid_reopens_total", status.reopens, camera=camera)
            level("reid_frame_age_seconds", status.lag_s, camera=camera)
            level("reid_open_tracks", status.people_now, camera=camera)
            is_away = status.away is not None or status.is_silent or status.error is not None
            level("reid_camera_away", is_away, camera=camera)
            level("reid_camera_tampered", status.view_now is not None, camera=camera)
            level("reid_clock_ahead_seconds", status.clock_ahead_s, camera=camera)
        level("reid_cameras_lost", sum(status.error is not None for status in cameras.values()))

    def _count(self, site: str, name: str, total: int, **labels: str) -> None:
        key = (site, name, *labels.values())
        if total > self._reported[key]:
            self._counters[name].inc(total - self._reported[key], {"site": site, **labels})
            self._reported[key] = total

    def _level(self, site: str, name: str, value: float, **labels: str) -> None:
        self._gauges[name].set(float(value), {"site": site, **labels})
