"""A whole site from ``docker/compose.yaml`` on a Docker engine, and what happens to its containers."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from document_blocks import blocks_of

ROOT = Path(__file__).resolve().parents[2]
PROBE = (Path(__file__).parent / "site_probe.py").read_text()
PROJECT = "passerby-drills"
FPS = 10.0
"""Frames a second of the demo's film."""
CUT_S = 60.0
"""Seconds that a container is cut off from the network."""
STEADY_S = 15.0
"""Seconds of steady frames after which a camera counts as followed; within them no pause is longer than ``PAUSE_S``."""
PAUSE_S = 5.0
"""Seconds without frames that are no pause yet: the status is written every second, later on a busy machine."""
NEEDS_A_PERSON_S = 90.0
"""Seconds within which a new version has said whether it can go on."""
SERVICES = ("kafka", "publisher", "head", "worker", "job", "console", "prometheus")
"""All but Grafana, for whose image the development machines have no stand-in."""


def why_no_engine() -> str | None:
    """Return why no Docker engine can be used here; None if one can."""
    if shutil.which("docker") is None:
        return "no Docker engine: no program docker"
    found = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    return None if found.returncode == 0 else f"no Docker engine answers: {found.stderr.strip()[:120]}"


def compose_program() -> list[str]:
    """Return how Docker Compose is called here: as a plug-in of docker, or by itself."""
    has_plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    return ["docker", "compose"] if has_plugin else ["docker-compose"]


class Site:
    """The site of a compose file, in a project of its own.

    Args:
        file: The compose file.

    Attributes:
        checked: What the last ``check`` returned; empty before the first.
    """

    def __init__(self, file: Path = ROOT / "docker/compose.yaml") -> None:
        self.file = file
        self.checked: dict[str, Any] = {}
        self._looks: list[tuple[float, int | None]] = []
        self._watching: subprocess.Popen[str] | None = None

    def compose(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Return what docker compose prints for a command."""
        command = [*compose_program(), "-p", PROJECT, "-f", str(self.file), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode()[-2000:]}"
        return done.stdout

    def images(self) -> dict[str, str]:
        """Return the image of each service."""
        services = json.loads(self.compose("config", "--format", "json"))["services"]
        return {name: service["image"] for name, service in services.items()}

    def up(self) -> None:
        """Bring everything up."""
        self.compose("up", "-d", *SERVICES)

    def down(self) -> None:
        """Take everything down, volumes too."""
        self.stop_watching()
        self.compose("down", "-v", "-t", "20")

    def kill(self, service: str) -> None:
        """Kill the first process of a container as a crash would, so that its restart policy applies."""
        found = docker("inspect", "-f", "{{.State.Pid}}", self._container(service)).strip()
        code = f"import os; os.kill({found}, 9)"
        docker(
            *("run", "--rm", "--pid=host", "--cap-add=KILL", "--user=0", "--network=none"),
            *("--entrypoint=python", "passerby", "-c", code),
        )

    def kill_for_good(self, service: str) -> None:
        """Kill a container so that it stays dead."""
        docker("kill", self._container(service))

    def start(self, service: str) -> None:
        """Start a container that is dead."""
        self.compose("up", "-d", "--no-deps", service)

    def restart(self, service: str) -> None:
        """Restart a container in order."""
        self.compose("restart", service)

    def make_anew(self, service: str) -> None:
        """Remove a container, and make a new one; only its volumes stay."""
        self.compose("rm", "-sf", service)
        self.compose("up", "-d", "--no-deps", service)

    def cut(self, service: str) -> None:
        """Cut a container off from the network for a while."""
        container = self._container(service)
        docker("network", "disconnect", f"{PROJECT}_default", container)
        time.sleep(CUT_S)
        docker("network", "connect", "--alias", service, f"{PROJECT}_default", container)

    def watch(self) -> None:
        """Note from now on how many frames are processed."""
        self._watching = self._probe("watch")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop_watching(self) -> None:
        """Note no more."""
        if self._watching is not None:
            subprocess.run(["docker", "rm", "-f", f"{PROJECT}-watch"], capture_output=True, check=False)
            self._watching.wait()
            self._reader.join()
            assert self._watching.stdout is not None
            self._watching.stdout.close()
            self._watching = None

    def check(self) -> dict[str, Any]:
        """Return what ledger and topics hold; see ``site_probe``."""
        said, _ = self._probe("check").communicate(timeout=300)
        self.checked = json.loads(said.strip().splitlines()[-1])
        return self.checked

    def followed_at(self, since: float, timeout_s: float) -> float | None:
        """Wait until the camera is followed steadily; return since when, Unix seconds; None after the time-out."""
        until = time.time() + timeout_s
        while time.time() < until:
            at = followed_since(self._looks, since)
            if at is not None and time.time() - at >= STEADY_S:
                return at
            time.sleep(0.5)
        return None

    def num_submissions(self, since: float) -> int:
        """Return how often the run was submitted since a time, Unix seconds; a container made anew has no older log."""
        said = docker("logs", "--since", f"{since:.3f}", self._container("job"))
        return sum(line.startswith("passerby-east: submitted") for line in said.splitlines())

    def needs_a_person(self) -> bool:
        """Return whether the run has ended because only a person can decide how it goes on; waits until it is clear."""
        until = time.time() + NEEDS_A_PERSON_S
        while time.time() < until:
            said = docker("logs", self._container("job"))
            if "not submitted again" in said or re.search(r"ready \d", said):
                print("\n".join(line for line in said.splitlines() if "error:" in line or "ready " in line))
                return "not submitted again" in said
            time.sleep(1.0)
        return False

    def longest_pause_s(self, since: float, until: float) -> float:
        """Return the longest time without a new frame, seconds."""
        return longest_pause_s(self._looks, since, until)

    def num_processed(self, since: float, until: float) -> int:
        """Return how many frames were processed, over all restarts of the run."""
        counts = [frames for at, frames in self._looks if since <= at <= until and frames is not None]
        return sum(max(0, later - earlier) for earlier, later in pairwise(counts))

    def _container(self, service: str) -> str:
        return f"{PROJECT}-{service}-1"

    def _probe(self, mode: str) -> "subprocess.Popen[str]":
        command = [
            *("docker", "run", "--rm", "-i", "--name", f"{PROJECT}-{mode}", "--network", f"{PROJECT}_default"),
            *("-v", f"{PROJECT}_out:/out", "--no-healthcheck", "--entrypoint", "python", "passerby", "-u", "-c", PROBE),
        ]
        return subprocess.Popen([*command, mode], stdout=subprocess.PIPE, text=True)

    def _read(self) -> None:
        assert self._watching is not None
        assert self._watching.stdout is not None
        for line in self._watching.stdout:
            at, frames = json.loads(line)
            self._looks.append((at, frames))


def documented_camera(page: Path) -> str:
    """Return the block of a document that shows another camera."""
    blocks = (block.code for block in blocks_of(page) if block.language == "yaml")
    return next(code for code in blocks if "publisher-west" in code)


def with_another_camera(file: str, block: str) -> str:
    """Return the text of the compose file with the documented line and service of another camera in it."""
    line, service = block.split("\n", 1)[1].split("\n\n", 1)
    before, camera, after = re.split(r"^( +- site\.cameras\.east=.*\n)", file, maxsplit=1, flags=re.M)
    return f"{before}{camera}{line}\n{after}".replace("  head:\n", f"{service}  head:\n", 1)


def docker(*arguments: str) -> str:
    """Return what docker prints for a command."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr[-2000:]}"
    return done.stdout


def new_frames(looks: list[tuple[float, int | None]]) -> list[float]:
    """Return the times at which new frames were seen; a run that began anew counts from 0."""
    seen: list[float] = []
    last: int | None = None
    for at, frames in looks:
        if frames is not None and frames != last and frames > 0:
            if last is not None:
                seen.append(at)
            last = frames
    return seen


def followed_since(looks: list[tuple[float, int | None]], since: float) -> float | None:
    """Return from when on frames have come without a pause up to the newest look; None if they do not."""
    times = [at for at in new_frames(looks) if at >= since]
    if not times or looks[-1][0] - times[-1] > PAUSE_S:
        return None
    start = times[-1]
    for earlier in reversed(times):
        if start - earlier > PAUSE_S:
            break
        start = earlier
    return start


def longest_pause_s(looks: list[tuple[float, int | None]], since: float, until: float) -> float:
    """Return the longest time without a new frame between two times, seconds."""
    times = [since, *(at for at in new_frames(looks) if since <= at <= until), until]
    return max(later - earlier for earlier, later in pairwise(times))
