"""The metrics of a run, served to Prometheus by the run itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.core.errors import ConfigError
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.metrics import COUNTERS, GAUGES, samples

PREFIX = "ray_"
"""What Ray puts before every name, so that one board and one set of alerts read both."""


class Metrics(Protocol):
    """Something that shows metrics."""

    def show(self, cameras: Mapping[str, CameraStatus], match: MatchStatus, site: str = "") -> None:
        """Take the newest status of a site."""
        ...


class NewestMetrics(Collector):
    """The newest metrics of all sites, as they are when somebody asks for them."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[Mapping[str, CameraStatus], MatchStatus]] = {}

    def show(self, cameras: Mapping[str, CameraStatus], match: MatchStatus, site: str = "") -> None:
        """Take the newest status of a site; ``site`` is empty where the run has one."""
        self._newest[site] = (dict(cameras), match)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, with a sample for each of its labels."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {
            **{name: CounterMetricFamily(PREFIX + name, text) for name, (text, _) in COUNTERS.items()},
            **{name: GaugeMetricFamily(PREFIX + name, text) for name, (text, _) in GAUGES.items()},
        }
        for site, (cameras, match) in list(self._newest.items()):
            for name, value, labels in samples(cameras, match, site):
                families[name].add_sample(PREFIX + name, labels, value)
        yield from families.values()


@contextmanager
def serve_metrics(host: str, port: int | None) -> Iterator[list[Metrics]]:
    """Serve metrics at ``http://HOST:PORT/metrics`` during the block, without a login.

    Args:
        host: Address of this machine to listen on.
        port: Port; None: nothing is served.

    Yields:
        What to show statuses to; empty if nothing is served.

    Raises:
        ConfigError: If the address cannot be had.
    """
    if port is None:
        yield []
        return
    registry, newest = CollectorRegistry(), NewestMetrics()
    registry.register(newest)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigError(
            f"metrics.port: expected to listen on {host}:{port}, got {error}; choose a free port, or an address"
        ) from error
    try:
        yield [newest]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
