"""The sites that one command runs: one alone, or several that share detectors and embedders."""

import asyncio
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.cli.page_after_run import keep_page
from pipeline.cli.running.site import SiteRun
from pipeline.cli.running.view import JobView
from pipeline.cli.stop_signals import stop_on_signals
from pipeline.core.errors import ConfigError
from pipeline.runtime.assembly import start_sites
from pipeline.runtime.cluster import join_cluster
from pipeline.telemetry.metrics import RayMetrics
from pipeline.telemetry.metrics_server import Metrics, serve_metrics
from pipeline.telemetry.sites import sites_of, write_sites

DONE = 0

_LOADED_AT = time.perf_counter()


class Job:
    """Runs sites beside each other; what ends one does not end the others.

    Args:
        sites: At least one; a single one without a name has the output folder to itself.
    """

    def __init__(self, sites: Sequence[SiteRun]) -> None:
        self._sites = sites
        self._is_ray = sites[0].config.runtime.kind == "ray"
        self._folder = Path(sites[0].config.output_dir).absolute().parent if sites[0].name else None

    @property
    def code(self) -> int:
        """The worst exit code of all sites."""
        return max(site.code or DONE for site in self._sites)

    def check(self, words: Sequence[str]) -> None:
        """Check each site; ``words`` are those of the command line.

        Raises:
            ConfigError: If there is no job to continue, or the folder is that of a job of another kind.
        """
        self._check_folder()
        if self._folder is not None and self._sites[0].config.resume and not self._folder.is_dir():
            raise ConfigError(
                f"resume: expected the folder of an earlier job, got nothing at {self._folder}; correct it"
            )
        for site in self._sites:
            site.check(words)

    def _check_folder(self) -> None:
        """Raise ``ConfigError`` if one site would run in the folder of several, or several in that of one."""
        folder = self._folder or Path(self._sites[0].config.output_dir).absolute()
        if self._folder is None and (sites := sites_of(folder)):
            raise ConfigError(
                f"output_dir: expected a folder for one site, got {folder}, which has the sites {', '.join(sites)}; "
                "choose another, or name them in sites=…"
            )
        if self._folder is not None and (folder / "ledger.sqlite").exists():
            raise ConfigError(
                f"output_dir: expected a folder for several sites, got {folder}, which has the ledger of one; choose "
                "another, or leave sites out"
            )

    async def run(self) -> None:
        """Run the sites that can be run, until each has ended or a signal stops them all.

        Raises:
            ConfigError: If the port of the metrics is taken.
            ConnectorError: If there is no cluster.
        """
        if not self._going():
            return
        wanted = self._sites[0].config.metrics
        with serve_metrics(wanted.host, wanted.port) as metrics:
            await self._run_all(metrics)

    async def _run_all(self, metrics: list[Metrics]) -> None:
        stop = stop_on_signals()
        if self._is_ray:
            join_cluster()
        if stop.is_set() or not await self._start(stop):
            print("stopped before the first frame")
            return
        self._write()
        if self._is_ray:
            metrics.append(RayMetrics())
        with JobView([site.name for site in self._going()], metrics) as view:
            await asyncio.gather(*(self._run(site, stop, view) for site in self._going()))
        only = self._sites[0]
        is_seen = not stop.is_set() and sys.stdin.isatty() and only.error is None
        if not only.name and is_seen and "console" in only.config.sink:
            await keep_page(only.config.sink["console"], only.plan.output_dir)

    async def _start(self, stop: asyncio.Event) -> bool:
        """Start the sites; return whether that was not stopped."""
        for site in self._going():
            site.open_folder()
        starting = asyncio.ensure_future(start_sites({site.name: site.plan for site in self._going()}))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            return False
        for site in self._going():
            site.begin(starting.result()[site.name])
        for site in self._going():
            site.tell_ready(time.perf_counter() - _LOADED_AT)
        return True

    async def _run(self, site: SiteRun, stop: asyncio.Event, view: JobView) -> None:
        await site.run(stop, partial(view.show, site.name), partial(view.end, site.name))
        self._write()
        if self._going():
            await site.pipeline.release()

    def _going(self) -> list[SiteRun]:
        return [site for site in self._sites if site.code is None]

    def _write(self) -> None:
        if self._folder is not None and self._folder.is_dir():
            write_sites(self._folder, {site.name: site.error for site in self._sites})
