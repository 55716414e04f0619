"""Match actors in this process: with rules, sinks and cameras of a test's choice."""

from collections.abc import Iterable, Sequence
from math import inf
from pathlib import Path

from people import make_match, see

from connectors.sinks.memory import MemorySink
from pipeline.alerts.engine import AlertEngine
from pipeline.core import Alert, AlertRule, Severity, Sighting, Sink
from pipeline.core.errors import SinkBusyError
from pipeline.runtime.deliveries import Acknowledgement
from pipeline.runtime.match_actor import MatchActor
from pipeline.telemetry.match_report import MatchReport


class EveryoneRule:
    name = "everyone"

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        at, who = sighting.last.captured_at, sighting.person_id
        yield Alert(
            f"everyone/{who}/{at:.1f}", self.name, Severity.INFO, who, "east", at, at, "Hello.", (), ended_at=at
        )

    def on_tick(self, now: float) -> Iterable[Alert]:
        return ()


class SlowFlushSink(MemorySink):
    """Is busy at its first flushes."""

    def __init__(self, busy_times: int) -> None:
        super().__init__()
        self._busy_flushes = busy_times

    def flush(self) -> None:
        if self._busy_flushes:
            self._busy_flushes -= 1
            raise SinkBusyError("busy", retry_after_s=0.0)
        super().flush()


def make_actor(
    folder: Path,
    *sinks: Sink,
    camera_ids: Sequence[str] = ("east", "west"),
    rules: Sequence[AlertRule] = (),
    max_lateness_s: float = inf,
    flush_every_s: float = 1e9,
    max_waiting_embeddings: int = 100,
    recluster_every_s: float = 1e9,
    max_events: int = 0,
) -> MatchActor:
    return MatchActor(
        camera_ids=camera_ids,
        make_match=lambda: make_match(recluster_every_s=recluster_every_s),
        make_alert=lambda: AlertEngine(rules, cooldown_s=0.0, max_open=100, max_parts=100),
        make_sinks={f"sink{index}": (lambda sink=sink: sink) for index, sink in enumerate(sinks)},
        ledger_path=folder / "ledger.sqlite",
        window_s=0.5,
        max_lateness_s=max_lateness_s,
        flush_every_s=flush_every_s,
        max_waiting_embeddings=max_waiting_embeddings,
        max_events=max_events,
    )


async def end(actor: MatchActor, *camera_ids: str) -> MatchReport:
    for camera_id in camera_ids or ("east", "west"):
        await actor.deliver(camera_id, [], inf, 0.0)
    return await actor.finish(5.0)


def sightings_in(sink: MemorySink) -> list[tuple[str, int, int]]:
    return [(r.track_id.camera_id, r.track_id.number, r.part) for r in sink.records if isinstance(r, Sighting)]


async def interrupted(folder: Path, *sinks: Sink, flush_every_s: float = 1e9) -> None:
    """A run that sees two people and is killed; the first is flushed in any case."""
    actor = make_actor(folder, *sinks, flush_every_s=0.0)
    await actor.deliver("west", [], 5.0, 0.0, None)
    await actor.deliver("east", [see("east", 1)], 1.5, 0.0, None)
    actor._flush_every_s = flush_every_s
    await actor.deliver("east", [see("east", 2, 2.0, 3.0, person=1)], 5.0, 0.0, None)
    actor._reader.close()
    actor._ledger.close()


class MortalActor:
    """A match actor in this process that can be killed: nothing is flushed, and no sink is closed."""

    def __init__(
        self, folder: Path, sink: MemorySink | None = None, flush_every_s: float = 0.0, max_events: int = 0
    ) -> None:
        self._folder, self._sink, self._flush_every_s = folder, sink or MemorySink(), flush_every_s
        self._max_events = max_events
        self.actor = self._make()

    def kill(self) -> None:
        self.actor._reader.close()
        self.actor._ledger.close()
        self.actor = self._make()

    async def deliver(self, *arguments: object) -> Acknowledgement:
        return await self.actor.deliver(*arguments)  # type: ignore[arg-type]

    def _make(self) -> MatchActor:
        return make_actor(
            self._folder,
            self._sink,
            rules=[EveryoneRule()],
            flush_every_s=self._flush_every_s,
            recluster_every_s=2.0,
            max_events=self._max_events,
        )
