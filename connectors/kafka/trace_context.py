"""The trace that a message belongs to: header ``traceparent`` (W3C Trace Context, section 3.2).

The trace id is computed from the camera and the time of the frame that completed the event. So it need not be passed
along, it survives a restart, and it can be computed from a frame, a sighting or an alert alone.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

HEADER = "traceparent"

NUM_TRACE_DIGITS = 32
NUM_SPAN_DIGITS = 16


def frame_traceparent(camera_id: str, captured_at: float) -> str:
    """Return the header of a frame.

    Example:
        >>> frame_traceparent("east", 12.5)
        '00-2b6b68c819127a4be5e135bd999a3300-a58b444f34ed10d6-01'
    """
    return _traceparent(camera_id, captured_at, "frame")


def event_traceparent(event: Mapping[str, Any], event_key: str) -> str | None:
    """Return the header of a tracklet, a sighting or an alert; None for a correction, which concerns many frames.

    Args:
        event: The body.
        event_key: The key that identifies the event.
    """
    if event["event"] == "sighting":
        return _traceparent(event["camera_id"], event["last"]["captured_at"], event_key)
    if event["event"] == "tracklet":
        return _traceparent(event["camera_id"], event["path"][-1]["captured_at"], event_key)
    if event["event"] == "alert":
        return _traceparent(event["camera_id"], event["raised_at"], event_key)
    return None


def _traceparent(camera_id: str, at: float, name: str) -> str:
    trace = hashlib.sha256(f"{camera_id}/{at:.6f}".encode()).hexdigest()[:NUM_TRACE_DIGITS]
    span = hashlib.sha256(f"{trace}/{name}".encode()).hexdigest()[:NUM_SPAN_DIGITS]
    return f"00-{trace}-{span}-01"
