"""What happened to the view of a camera, whatever people did in it."""

from dataclasses import dataclass
from enum import StrEnum


class ViewEventKind(StrEnum):
    """What is wrong with a view."""

    FROZEN = "frozen"
    """The camera sends the same picture again and again."""
    BLACK = "black"
    """The picture is dark all over."""
    COVERED = "covered"
    """The picture has one brightness all over, but is not black."""
    DEFOCUSED = "defocused"
    """The picture has lost its edges."""
    MOVED = "moved"
    """The camera shows another place; zones, lines and ground do not fit any more."""
    LOST = "lost"
    """The camera gives no pictures."""


@dataclass(frozen=True, slots=True)
class ViewEvent:
    """A time during which something was wrong with a view.

    Attributes:
        kind: What.
        began_at: Unix seconds, event time.
        ended_at: Unix seconds, event time; None while it lasts. A moved camera has a new view after a minute.
    """

    kind: ViewEventKind
    began_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What a camera reports of its view, in the order of event time among its embeddings.

    Attributes:
        camera_id: The camera.
        completed_at: Unix seconds, event time: when the camera knew it.
        event: What began, or ended; None: the camera shows its view now, whatever was reported before.
    """

    camera_id: str
    completed_at: float
    event: ViewEvent | None
