"""Several monitors of one camera as one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.core import Frame, Monitor, Source, TrackId, Tracklet
from pipeline.core.interfaces import PacketMonitor, PacketSource, PacketTap
from pipeline.core.plugin_contract import made


class Monitors:
    """Passes each call on to every monitor.

    Args:
        makes: Build them, in the camera's process, by key of the configuration.
    """

    def __init__(self, makes: Mapping[str, Callable[[], Monitor]]) -> None:
        self._monitors = [made(key, make) for key, make in makes.items()]

    def show(self, frame: Frame, people: Mapping[TrackId, Any]) -> None:
        """Take a tracked frame."""
        for monitor in self._monitors:
            monitor.show(frame, people)

    def keep(self, tracklet: Tracklet) -> None:
        """Take a completed part of a track."""
        for monitor in self._monitors:
            monitor.keep(tracklet)

    def packet_tap(self) -> PacketTap | None:
        """Return what is to see the packets of the camera's source: every monitor that wants them has them."""
        taps = [monitor.packet_tap() for monitor in self._monitors if isinstance(monitor, PacketMonitor)]
        return _Taps([tap for tap in taps if tap is not None]) if any(taps) else None

    def close(self) -> None:
        """Close every monitor."""
        for monitor in self._monitors:
            monitor.close()


class _Taps:
    """Passes packets on to several taps."""

    def __init__(self, taps: Sequence[PacketTap]) -> None:
        self._taps = taps

    def packet(self, packet: Any) -> None:
        for tap in self._taps:
            tap.packet(packet)

    def shown(self, seconds: float, captured_at: float) -> None:
        for tap in self._taps:
            tap.shown(seconds, captured_at)

    def end(self) -> None:
        for tap in self._taps:
            tap.end()


def show_packets(source: Source, monitor: Monitor | None) -> PacketTap | None:
    """Let a monitor see the packets of a source, if it wants them and there are any; return what sees them."""
    if not isinstance(source, PacketSource) or not isinstance(monitor, PacketMonitor):
        return None
    source.tap = monitor.packet_tap()
    return source.tap
