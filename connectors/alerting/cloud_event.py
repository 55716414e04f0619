"""Attributes of CloudEvents 1.0 (https://cloudevents.io) in binary mode: a header each, beside the unchanged body.

HTTP writes them as ``ce-id``, Kafka as ``ce_id``; receivers that do not know them ignore them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

SOURCE = "/passerby"
"""Attribute ``source`` of events, before the name of their run where that is known."""


def run_name(output_dir: str) -> str:
    """Return what tells the alerts of one run from those of another: the name of its output folder, percent-encoded."""
    return quote(Path(output_dir).absolute().name, safe="") if output_dir else ""


def cloud_event(body: Mapping[str, object], event_id: str, *, prefix: str, run: str = "") -> dict[str, str]:
    """Return the headers of an event.

    Args:
        body: Its JSON, as in ``connectors/schemas``.
        event_id: The same whenever it is sent again, and another for every other event.
        prefix: ``ce-`` for HTTP, ``ce_`` for Kafka.
        run: See ``run_name``; empty if it is not known. The attributes ``source`` and ``id`` together name an event.

    Example:
        >>> body = {"event": "alert", "state": "raised", "camera": "east", "raised_at": 12.5}
        >>> cloud_event(body, "dwell/1", prefix="ce-")["ce-type"]
        'passerby.alert.raised'
    """
    kind = ".".join(str(body[key]) for key in ("event", "state") if key in body)
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"{SOURCE}/{run}" if run else SOURCE,
        "type": f"passerby.{kind}",
    }
    at = next((body[key] for key in ("raised_at", "last_seen_at", "at") if key in body), None)
    if isinstance(at, int | float):
        attributes["time"] = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    if subject := body.get("camera_id") or body.get("camera"):
        attributes["subject"] = str(subject)
    return {f"{prefix}{name}": value for name, value in attributes.items()}
