"""Every series that Grafana's board and the alert rules ask for is there while a run goes on, on both runtimes."""

import socket
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from asked_series import of_the_alerts, of_the_board
from prometheus_client.parser import text_string_to_metric_families
from rtsp_server import free_port
from running import interrupt, run, start

ASKED = of_the_board() | of_the_alerts()
EAST = Path(__file__).resolve().parents[2] / "connectors/synthetic/demo/east.mp4"
WITHIN_S = 150.0
"""Seconds until all are there. On Ray, actors start, and each node exports every ten seconds."""

Series = dict[tuple[str, ...], float]
"""Value of each series, by its name and the values of its labels."""

pytestmark = pytest.mark.slow


def scraped(port: int) -> Series:
    """Return what a port serves to Prometheus; nothing if it serves no metrics."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, HTTPException, ValueError):
        return {}
    samples = [sample for family in families for sample in family.samples if sample.name in ASKED]
    return {(each.name, *(value for value in each.labels.values() if value)): each.value for each in samples}


def exported_by_ray(process: "subprocess.Popen[str]") -> Series:
    """Return what the node of a run's own cluster serves to Prometheus."""
    found: Series = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        if "agent" in " ".join(child.cmdline()).lower():
            ports = {each.laddr.port for each in child.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
            found |= {name: value for port in ports for name, value in scraped(port).items()}
    return found


def all_asked(process: "subprocess.Popen[str]", look: Callable[[], Series]) -> Series:
    """Return what is seen as soon as it is all that board and alerts ask for, and frames are counted."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = look()
        missing = ASKED - {name for name, *_ in found}
        frames = sum(value for (name, *_), value in found.items() if name == "ray_reid_frames_total")
        if not missing and frames > 0:
            return found
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, missing or "no frame was counted"
        time.sleep(0.5)


@pytest.mark.parametrize("runtime", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_run_serves_what_board_and_alerts_ask_for(runtime: str, tmp_path: Path) -> None:
    port = free_port()
    camera = [f"site.cameras={{east: {EAST}}}", "detector=passerby", "replay.speed=0.2"]
    sinks = ["sink=[jsonl,webhook]", "sink.webhook.url=http://127.0.0.1:9/"]  # where nobody listens
    process = start([f"runtime={runtime}", *camera, *sinks, f"metrics.port={port}", f"output_dir={tmp_path}"])
    try:
        found = all_asked(process, lambda: scraped(port))
        assert found["ray_reid_reopens_total", "east"] == 0
        assert found["ray_reid_sink_given_up_total", "webhook"] == 0
        if runtime == "ray":
            all_asked(process, lambda: exported_by_ray(process))
    finally:
        finished = interrupt(process)
    assert finished.code == 0, finished.err
    assert scraped(port) == {}


def test_a_run_whose_port_is_taken_does_not_begin(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = run(["runtime=inline", f"metrics.port={port}", f"output_dir={tmp_path / 'out'}"])
    assert finished.code == 2
    (error,) = finished.errors
    assert error.startswith(f"error: metrics.port: expected to listen on 127.0.0.1:{port}, got ")
    assert not (tmp_path / "out").exists()
