"""Watches the processes of a run on Ray: says what waits for a place, and replaces what no longer answers."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from pipeline.core.errors import ConfigError, ProcessLostError
from pipeline.runtime.plan import ProcessLimits, Share

ASK_EVERY_S = 2.0
"""Seconds between two questions to each process. More notice a hung process later."""
TELL_AFTER_S = 5.0
"""Seconds without a place after which the log says so, and again each time as long. More leave people wondering."""
BUDGET_S = 3600.0
"""Seconds over which replacements of a process are counted. A longer time gives up sooner on one that keeps dying."""
RAYS_OWN = ("node:", "memory", "object_store_memory", "accelerator_type:")
"""Resources that Ray adds to each node; nobody asked for them."""
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Host:
    """A process that is watched.

    Attributes:
        name: In messages.
        kind: Of its actor.
        handle: Ray's, of an ``ActorHost``.
        share: What it reserves.
        site: That it works for; None for all.
        asking: The open question; None between two.
        asked_at: When it was asked, seconds of the monotonic clock.
        process: What it answered: another one means that it was replaced.
        begun_at: When it was added or replaced, the same clock. For ``place_s`` from then on it has the time of a start
            to answer: each network that it loads, the last one for the first track, holds it up.
        replaced_at: When it was replaced, the same clock.
        is_lost: It was replaced more often than it may be.
    """

    name: str
    kind: str
    handle: Any
    share: Share
    site: str | None = None
    asking: "asyncio.Task[str] | None" = None
    asked_at: float = -inf
    process: str | None = None
    begun_at: float = field(default_factory=time.monotonic)
    replaced_at: deque[float] = field(default_factory=deque)
    is_lost: bool = False


class ProcessWatch:
    """Asks all processes of a run whether they live.

    Args:
        limits: Of the plan.
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self._limits = limits
        self._hosts: list[_Host] = []

    def add(self, name: str, kind: str, handle: Any, share: Share, site: str | None = None) -> None:
        """Watch one more process; ``site`` is the one that it works for, None for all."""
        self._hosts.append(_Host(name, kind, handle, share, site))

    def end(self, handles: Sequence[Any]) -> None:
        """End processes that are needed no more, and watch them no longer."""
        for host in [host for host in self._hosts if host.handle in handles]:
            self._hosts.remove(host)
            if host.asking is not None:
                host.asking.cancel()
            _kill(host, is_for_good=True)

    async def wait_for_places(self, handles: Sequence[Any] | None = None) -> None:
        """Return once every process runs somewhere; every one, or those of these handles.

        Raises:
            ConfigError: If the cluster has no place for one within ``place_s``.
        """
        hosts = [host for host in self._hosts if handles is None or host.handle in handles]
        waiting = {asyncio.ensure_future(_started(host)): host for host in hosts}
        began = time.monotonic()
        try:
            while waiting:
                done, _ = await asyncio.wait(waiting, timeout=TELL_AFTER_S, return_when=asyncio.ALL_COMPLETED)
                for task in done:
                    await task
                    del waiting[task]
                if waiting and time.monotonic() - began >= TELL_AFTER_S:
                    self._tell(list(waiting.values()), time.monotonic() - began)
        finally:
            for task in waiting:
                task.cancel()

    def _tell(self, waiting: Sequence[_Host], waited_s: float) -> None:
        """Say what has not answered yet: a process that starts, or one that the cluster has no place for."""
        wanted, there, first = self._wanted(waiting), _cluster(), waiting[0]
        has_places = _has_places([host.share for host in self._hosts])
        limit = f"within runtime.place_s = {self._limits.place_s:g} s"
        if waited_s < self._limits.place_s:
            if has_places:
                logger.info("starting %s, for %.0f s so far; the cluster has %s", wanted, waited_s, there)
            else:
                logger.warning("waiting for a place for %s; the cluster has %s", wanted, there)
        elif has_places:
            raise ConfigError(
                f"runtime: expected {wanted} to start {limit}, got no answer: the cluster has {there}; raise "
                "runtime.place_s on a slow machine, or stop what else uses the cluster"
            )
        else:
            replicas = "replicas, " if first.share.replicas > 1 else ""
            raise ConfigError(
                f"runtime: expected a place for {wanted} {limit}, got none: the cluster has {there}; "
                f"lower {replicas}num_cpus, num_gpus or resources of runtime.{first.kind}, or add machines"
            )

    def _wanted(self, hosts: Iterable[_Host]) -> str:
        kinds = Counter((host.kind, said(host.share)) for host in hosts)
        return ", ".join(f"{number} of {kind} ({share} each)" for (kind, share), number in kinds.items())

    async def run(self, site: str | None = None) -> None:
        """Watch the processes of a site, and those of all sites, until cancelled.

        Args:
            site: Several may be watched at once: what one site loses does not concern the others.

        Raises:
            ProcessLostError: If a process other than a camera's was replaced more often than it may be in an hour.
        """
        try:
            while True:
                for host in [host for host in self._hosts if host.site in (None, site)]:
                    self._look_after(host)
                    if host.is_lost:
                        raise ProcessLostError(host.name)
                await asyncio.sleep(ASK_EVERY_S)
        finally:
            for host in self._hosts:
                if host.site == site and host.asking is not None:
                    host.asking.cancel()

    def _look_after(self, host: _Host) -> None:
        now = time.monotonic()
        if host.asking is not None and host.asking.done():
            answered, host.asking = host.asking, None
            if answered.exception() is not None:  # lost for good, or cut off: the next caller is told, and goes on
                self._hosts.remove(host)
                _kill(host)  # a camera that is only cut off must not come back beside its successor
                return
            self._note(host, answered.result(), now)
        limit_s = self._limits.silent_s
        if now - host.begun_at < self._limits.place_s:
            limit_s = max(limit_s, self._limits.place_s)
        if host.asking is not None and now - host.asked_at > limit_s:
            logger.warning("%s has not answered for %.0f s; its process is replaced", host.name, now - host.asked_at)
            host.asking.cancel()
            host.asking = None
            host.begun_at = now
            _kill(host)
        if host.asking is None and now - host.asked_at >= ASK_EVERY_S:
            host.asking, host.asked_at = asyncio.ensure_future(_ask(host)), now

    def _note(self, host: _Host, process: str, now: float) -> None:
        """Note an answer, and whether it came from a new process."""
        if process != host.process and host.process is not None:
            logger.warning("%s: its process was replaced", host.name)
            host.begun_at = now
            host.replaced_at.append(now)
            while host.replaced_at[0] < now - BUDGET_S:
                host.replaced_at.popleft()
            host.is_lost |= len(host.replaced_at) > self._limits.max_restarts
        host.process = process


async def _ask(host: _Host) -> str:
    answer: str = await host.handle.alive.remote()
    return answer


async def _started(host: _Host) -> None:
    """Return once a process answers; one that cannot be built is one line."""
    try:
        await _ask(host)
    except Exception as error:
        from ray.exceptions import RayActorError

        if not isinstance(error, RayActorError):
            raise
        why = str(error).strip().splitlines()[-1]
        raise ConfigError(f"{host.name}: expected its process to start, got {why}; Ray's logs say more") from error


def _kill(host: _Host, *, is_for_good: bool = False) -> None:
    import ray

    is_camera = host.kind == "camera"  # RestartingCamera starts a new one
    ray.kill(host.handle, no_restart=is_for_good or is_camera)


def said(share: Share) -> str:
    """Return in words what an actor reserves."""
    return _amounts(_reserves(share))


def _reserves(share: Share) -> dict[str, float]:
    return {"CPU": share.num_cpus, "GPU": share.num_gpus, **share.resources}


def _has_places(shares: Iterable[Share]) -> bool:
    """Return whether the nodes could hold all of these, if nothing else used them: the largest first, where it fits."""
    import ray

    nodes = [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    for wanted in sorted(map(_reserves, shares), key=lambda each: sorted(each.values()), reverse=True):
        fitting = (node for node in nodes if all(node.get(name, 0) >= amount for name, amount in wanted.items()))
        if (node := next(fitting, None)) is None:
            return False
        for name, amount in wanted.items():
            node[name] = node.get(name, 0) - amount
    return True


def _cluster() -> str:
    """Return what the cluster has, and what of it is free."""
    import ray

    has, free = ray.cluster_resources(), ray.available_resources()
    return f"{_amounts(has)}, free: {_amounts(free)}"


def _amounts(resources: Mapping[str, float]) -> str:
    named = {"CPU": 0.0, "GPU": 0.0, **resources}
    return ", ".join(f"{amount:g} {name}" for name, amount in named.items() if not name.startswith(RAYS_OWN))
