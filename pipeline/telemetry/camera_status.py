"""How a camera is doing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is doing.

    Attributes:
        frames_read: That came: those processed, those dropped, and those that were broken.
        frames_processed: Tracked.
        frames_dropped: Not tracked, because newer ones were there.
        tracklets: Completed.
        static_false_positives: Parts of tracks that were dropped because nothing in them moved.
        low_score_parts: Those that were dropped because the detector was never sure of them.
        bad_records: Frames or tracklets that were dropped because they were broken.
        people_now: Open tracks.
        lag_s: Seconds from when the newest tracked frame was due until it was tracked.
        reopens: Times the source was opened again.
        error: Why the camera was given up, or its recording broke off; None if it did not.
        track_s: Seconds of work in tracking.
        decode_s: Seconds of work in reading and letter-boxing.
    """

    frames_read: int = 0
    frames_processed: int = 0
    frames_dropped: int = 0
    tracklets: int = 0
    static_false_positives: int = 0
    low_score_parts: int = 0
    bad_records: int = 0
    people_now: int = 0
    lag_s: float = 0.0
    reopens: int = 0
    error: str | None = None
    track_s: float = 0.0
    decode_s: float = 0.0
