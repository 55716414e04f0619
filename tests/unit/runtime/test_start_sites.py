"""Several sites in this process: the networks are shared, everything else is each site's own; networks are fakes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from camera_parts import make_frames
from test_whole_pipeline import FakeStage, Result, detect, make_plan, watch

from connectors.sinks.memory import MemorySink
from connectors.sources.memory import MemorySource
from pipeline.core import Record
from pipeline.core.errors import ConfigError, ConnectorError, ReidError
from pipeline.runtime.assembly import start_pipeline, start_sites
from pipeline.runtime.plan import Plan
from pipeline.runtime.running_pipeline import RunningPipeline


class Network:
    """A detector that counts how often it is built, and what it has looked at."""

    def __init__(self) -> None:
        self.num_built = self.num_frames = 0

    def make(self) -> Any:
        self.num_built += 1
        return FakeStage(self._detect)

    def _detect(self, frame: Any) -> Any:
        self.num_frames += 1
        return detect(frame)


class BrokenSink(MemorySink):
    """Fails when a record comes."""

    def write(self, records: Sequence[Record]) -> None:
        if records:
            raise ConnectorError("the disk is gone")


def plans(folder: Path, network: Network, sinks: dict[str, MemorySink]) -> dict[str, Plan]:
    """Plans of sites with one camera each, all of one name; that of each later site sees more."""
    found = {}
    for number, (site, sink) in enumerate(sinks.items(), start=1):
        plan = make_plan(folder / site, [MemorySource("door", make_frames(40 * number))], [sink])
        plan.output_dir.mkdir(parents=True)
        found[site] = replace(plan, make_detect=network.make)
    return found


def running(started: RunningPipeline | ReidError) -> RunningPipeline:
    assert isinstance(started, RunningPipeline)
    return started


def test_each_site_has_the_result_that_it_has_alone_and_one_network_serves_all(tmp_path: Path) -> None:
    network, names = Network(), ("east", "west")

    async def together() -> dict[str, Result]:
        started = await start_sites(plans(tmp_path / "both", network, {name: MemorySink() for name in names}))
        results = await asyncio.gather(*(watch(running(pipeline)) for pipeline in started.values()))
        return dict(zip(started, results, strict=True))

    async def alone(name: str) -> Result:
        sites = plans(tmp_path / name, Network(), {each: MemorySink() for each in names})
        return await watch(await start_pipeline(sites[name]))

    for name, (cameras, report) in asyncio.run(together()).items():
        alone_cameras, alone_report = asyncio.run(alone(name))
        assert report is not None
        assert alone_report is not None
        assert report.num_sightings > 0
        assert report.digest == alone_report.digest
        assert cameras.keys() == alone_cameras.keys() == {"door"}
    assert (network.num_built, network.num_frames) == (1, 120)


def test_sites_with_other_networks_share_none(tmp_path: Path) -> None:
    networks = [Network(), Network()]

    async def main() -> None:
        sites = plans(tmp_path, networks[0], {"east": MemorySink(), "west": MemorySink()})
        sites["west"] = replace(sites["west"], make_detect=networks[1].make, networks="others")
        started = await start_sites(sites)
        await asyncio.gather(*(watch(running(pipeline)) for pipeline in started.values()))

    asyncio.run(main())
    assert [network.num_frames for network in networks] == [40, 80]


def test_a_site_that_cannot_start_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    def no_matcher() -> Any:
        raise ConfigError("gallery: expected a device")

    async def main() -> tuple[dict[str, RunningPipeline | ReidError], Result]:
        sites = plans(tmp_path, Network(), {"east": MemorySink(), "west": MemorySink()})
        sites["east"] = replace(sites["east"], make_match=no_matcher)
        started = await start_sites(sites)
        return started, await watch(running(started["west"]))

    started, (cameras, report) = asyncio.run(main())
    assert str(started["east"]) == "gallery: expected a device"
    assert report is not None
    assert cameras["door"].frames_processed == 80


def test_a_camera_that_cannot_be_built_where_it_works_ends_its_own_site_alone(tmp_path: Path) -> None:
    def no_source() -> Any:
        raise OSError("no such device")

    async def main() -> tuple[dict[str, RunningPipeline | ReidError], Result]:
        sites = plans(tmp_path, Network(), {"east": MemorySink(), "west": MemorySink()})
        sites["east"] = replace(sites["east"], make_sources={"door": no_source})
        started = await start_sites(sites)
        return started, await watch(running(started["west"]))

    started, (cameras, report) = asyncio.run(main())
    assert str(started["east"]).startswith("site.cameras.door (builtins.function): ")
    assert "OSError: no such device" in str(started["east"])
    assert report is not None
    assert cameras["door"].frames_processed == 80


def test_a_network_that_cannot_be_built_ends_all_sites_that_need_it(tmp_path: Path) -> None:
    def no_network() -> Any:
        raise ConfigError("detector: expected weights")

    async def main() -> dict[str, RunningPipeline | ReidError]:
        sites = plans(tmp_path, Network(), {"east": MemorySink(), "west": MemorySink()})
        return await start_sites({name: replace(plan, make_detect=no_network) for name, plan in sites.items()})

    assert {str(error) for error in asyncio.run(main()).values()} == {"detector: expected weights"}


def test_a_site_that_fails_as_it_runs_is_let_go_of_and_the_others_go_on(tmp_path: Path) -> None:
    async def main() -> Result:
        started = await start_sites(plans(tmp_path, Network(), {"east": BrokenSink(), "west": MemorySink()}))
        other = asyncio.ensure_future(watch(running(started["west"])))
        broken = running(started["east"])
        with pytest.raises(ReidError, match="the disk is gone"):
            await watch(broken)
        await broken.release()
        return await other

    cameras, report = asyncio.run(main())
    assert report is not None
    assert report.num_sightings > 0
    assert cameras["door"].frames_processed == 80
