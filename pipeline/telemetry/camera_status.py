"""The status of a camera."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.core.records.source_report import Gap, SourceReport
from pipeline.core.records.view_event import ViewEvent, ViewEventKind


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Counts since the start of the run, and the state now.

    Attributes:
        frames_read: All frames that the source gave: processed, dropped and bad ones. While the camera runs, also
            those on their way.
        frames_processed: Frames that were tracked.
        frames_dropped: Frames that were dropped for newer ones, or were on their way when the camera was given up.
        next_index: One more than the index of the newest processed frame.
        tracklets: Tracklets that were completed.
        static_false_positives: Parts of tracks that were dropped as static false positives.
        low_score_parts: Parts of tracks that were dropped for their low detector score.
        bad_frames: Frames that were left out because they were damaged or invalid, or that never came.
        bad_frame_times: Unix seconds of the newest of them, as far as they are known.
        frames_concealed: Frames that the source gave, of which the decoder made up a part, because data were lost or
            damaged.
        bad_records: Bad frames, and tracklets that were dropped because they were invalid.
        times_repaired: Frames whose time was missing, doubled or an outlier, and was replaced.
        gaps: The newest lasting leaps of the camera's times.
        frames_still: Processed frames in which nobody was looked for, because the camera had frozen.
        frames_without_motion: Likewise, because nothing moved (``motion_gate``).
        view_events: The newest times at which the view was frozen, black, covered, defocused or moved.
        view_now: What is wrong with the view now; None if nothing is.
        decoder: What decodes its frames: cpu, or a device; empty if the source does not say.
        decoded_on_device: Frames that a device decoded.
        is_unverified: Its connection is encrypted, but by choice its certificate is not verified.
        recorded_bytes: What was recorded of its main stream (``record``).
        unrecorded: Why nothing is recorded now, though it should be; None if all is well.
        left_out: How many frames or messages of its source gave nothing, by reason: bad ones, and messages of a Kafka
            topic that are of another camera, have no value, or were deleted before they were read.
        frame_hw: Height and width of its first frame, pixels, for which zones, lines and masks are drawn; None before.
        people_now: Open tracks.
        lag_s: Seconds from when the newest tracked frame was due until it was tracked.
        waits_s: Seconds until the next frame of a paced replay is due; 0 if none is waited for.
        reopens: How often the source was opened again.
        error: Why the camera was given up, or its recording broke off; None while all is well.
        away: Why a live camera gives no frames now; it is opened again and again. None while it gives some.
        clock_ahead_s: Seconds by which the clock behind a live camera's stamps is ahead of this machine's; negative if
            it is behind, or its frames take long. What is corrected is included.
        is_silent: Its process does not answer; the other values are those of its last answer.
        added_at: When it was added to the run while that went on, Unix seconds of event time: of a recording what
            ``--at`` said, of a live camera when the command was given. None: it was there from the start.
        removed_at: When it was removed from the run, Unix seconds of event time: of a recording what ``--at`` said,
            once that was reached, of a live camera when it had left. None: it is part of it.
        stopped_early: The recording was not read to its end, because the run was stopped.
        track_s: Seconds spent on tracking.
        decode_s: Seconds spent on reading and letter-boxing.
    """

    frames_read: int = 0
    frames_processed: int = 0
    frames_dropped: int = 0
    next_index: int = 0
    tracklets: int = 0
    static_false_positives: int = 0
    low_score_parts: int = 0
    bad_frames: int = 0
    bad_frame_times: tuple[float, ...] = ()
    frames_concealed: int = 0
    bad_records: int = 0
    times_repaired: int = 0
    gaps: tuple[Gap, ...] = ()
    frames_still: int = 0
    frames_without_motion: int = 0
    view_events: tuple[ViewEvent, ...] = ()
    view_now: ViewEventKind | None = None
    decoder: str = ""
    decoded_on_device: int = 0
    is_unverified: bool = False
    recorded_bytes: int = 0
    unrecorded: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    frame_hw: tuple[int, int] | None = None
    people_now: int = 0
    lag_s: float = 0.0
    waits_s: float = 0.0
    reopens: int = 0
    error: str | None = None
    away: str | None = None
    clock_ahead_s: float = 0.0
    is_silent: bool = False
    added_at: float | None = None
    removed_at: float | None = None
    stopped_early: bool = False
    track_s: float = 0.0
    decode_s: float = 0.0


def counted(status: CameraStatus) -> int:
    """Return how many frames were processed, dropped or bad: ``frames_read`` without those on their way."""
    return status.frames_processed + status.frames_dropped + status.bad_frames


def stopped_early(status: CameraStatus) -> CameraStatus:
    """Return the last status of a recording that was stopped: what was on its way is read again by the next run."""
    return replace(status, stopped_early=True, frames_read=counted(status))


def given_up(status: CameraStatus, why: str) -> CameraStatus:
    """Return the last status of a camera that did not end by itself: what was on its way is dropped."""
    num_lost = status.frames_read - counted(status)
    return replace(status, error=why, frames_dropped=status.frames_dropped + num_lost)


def with_source(status: CameraStatus, report: SourceReport, *, num_dropped: int, num_bad: int) -> CameraStatus:
    """Return the status of a camera with what its source tells.

    Args:
        status: Without the frames that the source itself dropped.
        report: Of the source.
        num_dropped: Frames that the source dropped.
        num_bad: Frames that it left out because they were damaged.
    """
    return replace(
        status,
        frames_read=status.frames_read + num_dropped + num_bad,
        frames_dropped=status.frames_dropped + num_dropped,
        bad_frames=status.bad_frames + num_bad,
        bad_frame_times=report.bad_at,
        bad_records=status.bad_records + num_bad,
        frames_concealed=status.frames_concealed + report.num_concealed,
        times_repaired=report.num_times_repaired,
        gaps=report.gaps,
        clock_ahead_s=status.clock_ahead_s - report.shift_s,
        decoder=report.decoder,
        decoded_on_device=status.decoded_on_device + report.num_on_device,
        is_unverified=report.is_unverified,
        recorded_bytes=report.recorded_bytes,
        unrecorded=report.unrecorded,
        left_out=dict(Counter(status.left_out) + Counter(report.left_out)),
    )


COUNTS = (
    *("frames_read", "frames_processed", "frames_dropped", "tracklets", "static_false_positives", "low_score_parts"),
    *("bad_frames", "bad_records", "times_repaired", "frames_still", "frames_without_motion", "decoded_on_device"),
    *("frames_concealed", "recorded_bytes", "reopens", "track_s", "decode_s"),
)
"""Attributes that count since the start of the run."""


def after(before: CameraStatus, now: CameraStatus) -> CameraStatus:
    """Return the status of a camera that was removed and added again, with what was counted before."""
    return replace(
        now,
        **{name: getattr(before, name) + getattr(now, name) for name in COUNTS},
        left_out=dict(Counter(before.left_out) + Counter(now.left_out)),
    )
