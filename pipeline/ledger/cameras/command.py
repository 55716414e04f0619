"""Camera commands: a camera is added to a run, removed from it, or changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from pipeline.core.errors import ConfigError
from pipeline.ledger.submitted import Submitted


class CameraCommandKind(StrEnum):
    """What a camera command does."""

    ADD = "add"
    REMOVE = "remove"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class CameraCommand:
    """What somebody wants changed about the cameras of a run.

    Attributes:
        kind: ADD, REMOVE or CHANGE: read anew, from what ``entry`` says.
        camera_id: The camera.
        by: The name of the person who gives it.
        at: Unix seconds by the wall clock: when it was given.
        entry: Not of REMOVE: the camera as an entry of ``site.cameras``, a URI or a block. None: as the configuration
            of the run has it.
        event_at: Not of CHANGE: seconds of event time from which, or until which, the camera counts. None: at once.
        reason: Why, in words.
        force: Not of REMOVE: although the camera cannot be opened now.
        keep: It is to be kept for later runs once it is done, by the one who gave it.
        replaces: The entry that the run had when the command was given, as it wrote it, without secrets.
    """

    kind: CameraCommandKind
    camera_id: str
    by: str
    at: float
    entry: object = None
    event_at: float | None = None
    reason: str = ""
    force: bool = False
    keep: bool = False
    replaces: object = None

    @property
    def holds_from(self) -> float:
        """Unix seconds of event time from which it holds: of live cameras, when it was given."""
        return self.at if self.event_at is None else self.event_at


SubmittedCameraCommand = Submitted[CameraCommand]


@dataclass(frozen=True, slots=True)
class ChangedCameras:
    """What the commands of a run come to.

    Attributes:
        added: Entries of ``site.cameras`` of every camera that was added with one, also if it was removed since.
        removed: Cameras that take no part any more.
        from_at: By camera: seconds of event time before which it does not count.
        until_at: By camera: seconds of event time from which it counts no more.
        added_at: By camera that was added: Unix seconds of event time of that.
        replaced: By camera in ``added``: the entries that commands took the place of, as runs wrote them.
    """

    added: Mapping[str, object] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    from_at: Mapping[str, float] = field(default_factory=dict)
    until_at: Mapping[str, float] = field(default_factory=dict)
    added_at: Mapping[str, float] = field(default_factory=dict)
    replaced: Mapping[str, Sequence[object]] = field(default_factory=dict)


def changed_cameras(done: Iterable[CameraCommand]) -> ChangedCameras:
    """Return what commands come to that were applied in this order.

    A camera that leaves at a time of event time stays part of the run: what it saw before then belongs to the result.
    """
    added: dict[str, object] = {}
    removed: set[str] = set()
    from_at: dict[str, float] = {}
    until_at: dict[str, float] = {}
    added_at: dict[str, float] = {}
    replaced: dict[str, list[object]] = {}
    for command in done:
        if command.kind is CameraCommandKind.REMOVE:
            if command.event_at is None:
                removed.add(command.camera_id)
            else:
                until_at[command.camera_id] = command.event_at
            continue
        removed.discard(command.camera_id)
        added_at[command.camera_id] = command.holds_from
        if command.entry is not None:
            added[command.camera_id] = command.entry
            replaced.setdefault(command.camera_id, []).append(command.replaces)
        if command.event_at is not None:
            from_at[command.camera_id] = command.event_at
    return ChangedCameras(added, frozenset(removed), from_at, until_at, added_at, replaced)


def check_camera_command(command: CameraCommand) -> None:
    """Raise ``ConfigError`` unless a command is complete and consistent."""
    key = f"cameras {command.kind}"
    if not command.camera_id.strip():
        raise ConfigError(f"{key}: expected the name of a camera, got none")
    if not command.by.strip():
        raise ConfigError(f"{key}: expected the name of the operator, got none; say by whom")
    if command.kind is CameraCommandKind.REMOVE and command.entry is not None:
        raise ConfigError(f"{key}: expected the name of a camera alone, got an address as well; leave it out")
    if command.kind is CameraCommandKind.CHANGE and command.event_at is not None:
        raise ConfigError(f"{key}: expected no time, got {command.event_at:g}; a camera is changed at once")
    if command.event_at is not None and not isfinite(command.event_at):
        raise ConfigError(f"{key}: expected seconds of event time, got {command.event_at}; correct it")
