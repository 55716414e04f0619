"""Live pictures: from the cameras to the viewers, only the newest picture of each camera."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from connectors.console.camera.message import pack, unpack
from connectors.console.camera.monitor import UNWATCHED, WATCHED
from connectors.console.site_editing.edited_shapes import EditedShapes
from connectors.console.store.pictures import Clip, Picture, PictureStore, Rectangle
from connectors.console.store.site import Place
from pipeline.core import TrackId, TrackPart
from pipeline.core.errors import WireFormatError

Kept = TypeVar("Kept", Picture, Clip)

MAX_CAMERAS = 1000
"""Cameras connected at once; a bound on memory, far above the size of a site."""


@dataclass(slots=True, eq=False)
class _Feed:
    """A camera that sends pictures."""

    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Viewer:
    """A browser that watches some cameras."""

    cameras: frozenset[str]
    has_pictures: bool = True
    newest: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class LiveView:
    """Passes each picture to the viewers of its camera, and tells each camera whether it has viewers.

    Args:
        pictures: Store of the pictures and clips of sightings.
        persons_of: Returns the person of each track that has one.
        was_erased: Returns whether a part of a track was erased.
        edited: Zones and lines that replace those of the cameras' start.
        place: Returns where on the ground somebody stands whom a camera sees in a box, pixels; None if it is not known.
    """

    def __init__(
        self,
        pictures: PictureStore,
        persons_of: Callable[[Sequence[str]], Mapping[str, int]],
        was_erased: Callable[[TrackPart], bool],
        edited: EditedShapes,
        place: Callable[[str, Sequence[float]], Place | None],
    ) -> None:
        self._place = place
        self._edited = edited
        self._pictures = pictures
        self._was_erased = was_erased
        self._persons_of = persons_of
        self._feeds: dict[str, _Feed] = {}
        self._viewers: set[_Viewer] = set()
        self.num_bad = 0

    @property
    def num_viewers(self) -> int:
        """Browsers that watch now."""
        return len(self._viewers)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that are connected now."""
        return tuple(sorted(self._feeds))

    async def feed(self, socket: WebSocket, camera_id: str) -> None:
        """Receive pictures of one camera until it disconnects."""
        if len(self._feeds) >= MAX_CAMERAS:
            await socket.close(1013)
            return
        feed = _Feed(sum(camera_id in viewer.cameras for viewer in self._viewers))
        self._feeds[camera_id] = feed
        telling = asyncio.create_task(_send_watched(socket, feed))
        try:
            while True:
                await self._take(camera_id, await socket.receive_bytes())
        except (WebSocketDisconnect, WebSocketDisconnected, KeyError):
            return
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            if self._feeds.get(camera_id) is feed:
                del self._feeds[camera_id]

    async def view(self, socket: WebSocket, cameras: frozenset[str], *, has_pictures: bool = True) -> None:
        """Send pictures of these cameras, or only who is where in them, until the viewer disconnects."""
        viewer = _Viewer(cameras, has_pictures)
        self._viewers.add(viewer)
        self._count(cameras, 1)
        sending = asyncio.create_task(_send_newest(socket, viewer))
        try:
            while True:
                await socket.receive_text()  # a viewer sends nothing; this raises when it disconnects
        except (WebSocketDisconnect, WebSocketDisconnected, KeyError):
            return
        finally:
            self._viewers.discard(viewer)
            self._count(cameras, -1)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _count(self, cameras: frozenset[str], step: int) -> None:
        for camera_id in cameras & self._feeds.keys():
            feed = self._feeds[camera_id]
            feed.watchers += step
            feed.changed.set()

    async def _take(self, camera_id: str, message: bytes) -> None:
        try:
            header, jpeg = unpack(message)
            if header.get("kind") == "picture":
                await asyncio.to_thread(self._keep, self._pictures.put, _picture(camera_id, header, jpeg))
            elif header.get("kind") == "clip":
                await asyncio.to_thread(self._keep, self._pictures.put_clip, _clip(camera_id, header, jpeg))
            else:
                await self._show(camera_id, header, jpeg)
        except (WireFormatError, KeyError, TypeError, ValueError):
            self.num_bad += 1

    def _keep(self, put: Callable[[Kept], None], made: Kept) -> None:
        """Store a picture or clip; not of a part that was erased and whose recording is read again."""
        if not self._was_erased(made.part):
            put(made)

    async def _show(self, camera_id: str, header: dict[str, Any], jpeg: bytes) -> None:
        viewers = [viewer for viewer in self._viewers if camera_id in viewer.cameras]
        if not viewers:
            return
        message, without = await asyncio.to_thread(self._messages, camera_id, header, jpeg)
        for viewer in viewers:
            viewer.newest[camera_id] = message if viewer.has_pictures else without
            viewer.changed.set()

    def _messages(self, camera_id: str, header: dict[str, Any], jpeg: bytes) -> tuple[bytes, bytes]:
        """Return what viewers get, with and without the picture; asks the ledger, so it may wait."""
        people = header["people"]
        persons = self._persons_of([str(track) for track, *_ in people])
        frame_hw = tuple(int(side) for side in header["frame_hw"])
        edited = self._edited.of(camera_id, frame_hw) if len(frame_hw) == 2 and min(frame_hw) > 0 else None
        sides_px = (frame_hw[1], frame_hw[0]) * 2 if len(frame_hw) == 2 else (0, 0, 0, 0)
        shown = {
            "camera": camera_id,
            **{name: float(header[name]) for name in ("index", "captured_at", "shown_at")},
            "people": [
                {
                    "track": str(track),
                    "person": persons.get(str(track)),
                    "box": [float(side) for side in box],
                    "place": self._place(camera_id, [float(a) * b for a, b in zip(box, sides_px, strict=True)]),
                }
                for track, *box in people
            ],
            "shapes": [
                {"name": str(name), "is_zone": bool(is_zone), "points": [[float(x), float(y)] for x, y in points]}
                for name, is_zone, points in (header.get("shapes", ()) if edited is None else edited)
            ],
            "frame_hw": frame_hw,
        }
        return pack(shown, jpeg), pack(shown, b"")


def _part(camera_id: str, header: dict[str, Any], jpeg: bytes) -> TrackPart:
    """Return the part of a track that a JPEG shows.

    Raises:
        KeyError, TypeError, ValueError: If the header is malformed, it is no JPEG, or it is of another camera.
    """
    track_id = TrackId.parse(header["track"])
    if track_id.camera_id != camera_id or not jpeg.startswith(b"\xff\xd8"):
        raise ValueError("picture: expected a JPEG of the camera that sends it, got another")
    return TrackPart(track_id, int(header["part"]))


def _rectangle(sides: Sequence[float]) -> Rectangle:
    a, b, c, d = map(float, sides)
    return a, b, c, d


def _picture(camera_id: str, header: dict[str, Any], jpeg: bytes) -> Picture:
    """Return the picture in a message of a camera; raises as ``_part``."""
    heads = tuple(map(_rectangle, header["heads"]))
    part = _part(camera_id, header, jpeg)
    return Picture(part, float(header["captured_at"]), float(header["quality"]), jpeg, heads)


def _clip(camera_id: str, header: dict[str, Any], jpeg: bytes) -> Clip:
    """Return the clip in a message of a camera; raises as ``_part``."""
    times = tuple(map(float, header["captured_at"]))
    heads = tuple(tuple(map(_rectangle, of_frame)) for of_frame in header["heads"])
    if not times or len(heads) != len(times):
        raise ValueError(f"clip: expected the heads of each of {len(times)} frames, got {len(heads)}")
    return Clip(_part(camera_id, header, jpeg), times, jpeg, heads)


async def _send_watched(socket: WebSocket, feed: _Feed) -> None:
    """Tell a camera whether it has viewers, whenever that changes."""
    sent: str | None = None
    while True:
        word = WATCHED if feed.watchers > 0 else UNWATCHED
        if word != sent:
            await socket.send_text(word)
            sent = word
        await feed.changed.wait()
        feed.changed.clear()


async def _send_newest(socket: WebSocket, viewer: _Viewer) -> None:
    """Send the newest picture of each camera in turn; newer pictures replace those that wait."""
    while True:
        await viewer.changed.wait()
        viewer.changed.clear()
        while viewer.newest:
            _, message = viewer.newest.popitem(last=False)
            await socket.send_bytes(message)
