"""The commands of docs/deployment.md that need a container engine, in order, as a stranger types them.

``make containers ARGS='-k documented'``: it prints each command, and the last lines of what that printed. Nothing of a
site named ``passerby`` may be on the engine: its volumes are removed. What an engine lacks is replaced, and said.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from compose_site import ROOT, SERVICES, compose_program, docker, why_no_engine
from console_browser import chromium, go
from document_blocks import blocks_of
from playwright.sync_api import Error

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]

DOCUMENT = ROOT / "docs/deployment.md"
COMPOSE = "docker compose -f docker/compose.yaml"
FOLLOWED = r"camera east: [1-9]\d* frames, (?!0\.0)\d+\.\d fps"
MAX_MB = 1_300
"""Megabytes that the image may have beyond its base."""
SAVED = Path(tempfile.gettempdir()) / "passerby-saved.tgz"
"""In place of ``saved.tgz`` in the checkout."""
RATES_S = 120.0
"""Seconds after which rates over a minute can be told of a run that has just begun."""
LOGIN = re.compile(r"first login: admin / (\S+)")


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the document, and what it has to do.

    Attributes:
        command: Its beginning.
        says: What it must print, an expression; or, of a command that prints nothing, ``then`` must say it.
        stays: It goes on until it is interrupted.
        then: Called with what was printed, after it has ended or, if it stays, said so.
    """

    command: str
    says: str = ""
    stays: bool = False
    then: "Callable[[Stranger, str], None] | None" = None


def image_is_small(_: "Stranger", __: str) -> None:
    base = re.search(r"ARG BASE=(\S+)", (ROOT / "docker/Dockerfile").read_text())
    assert base is not None
    sizes = [int(docker("image", "inspect", "-f", "{{.Size}}", image)) / 1e6 for image in ("passerby", base[1])]
    print(f"   {sizes[0]:,.0f} MB, {sizes[0] - sizes[1]:,.0f} MB beyond its base")
    assert sizes[0] - sizes[1] <= MAX_MB
    pinned = {project(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    pinned |= {line.replace("opencv-python==", "opencv-python-headless==") for line in pinned}  # the same version
    frozen = docker("run", "--rm", "--entrypoint", "pip", "passerby", "freeze").splitlines()
    installed = {project(line) for line in frozen if not line.startswith("passerby @")}
    print(f"   {len(installed)} packages, all of the pinned versions")
    assert installed - pinned == set()


def project(line: str) -> str:
    """Return a pinned package with its name as the registry compares it."""
    name, _, version = line.strip().partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def page_opens(_: "Stranger", said: str) -> None:
    """Log in at the page with the password that was printed, and see the cameras."""
    found = LOGIN.findall(said)
    with chromium() as browser:
        page = browser.new_page()
        page.goto("http://127.0.0.1:8400/")
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill(found[-1])
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("nav")
        go(page, "health")
        page.get_by_role("cell", name="east", exact=True).first.wait_for()
        print("   the page Health shows camera east")


def is_followed(_: "Stranger", __: str) -> None:
    """Wait until the run of the site tells of frames, and says nothing wrong."""
    wait_for(FOLLOWED, lambda: sh(f"{COMPOSE} logs --since 12s job"), 240)


def is_measured(_: "Stranger", __: str) -> None:
    """Prometheus reaches both nodes, and answers every question of the board and of the alerts."""
    prometheus = "http://127.0.0.1:9090/api/v1"

    def asked(path: str) -> dict[str, object]:
        with urlopen(f"{prometheus}/{path}", timeout=10) as answer:
            found: dict[str, object] = json.load(answer)["data"]
        return found

    def health() -> str:
        try:
            return str([target["health"] for target in asked("targets")["activeTargets"]])  # type: ignore[attr-defined]
        except URLError as error:
            return str(error)

    wait_for(r"^\['up', 'up'\]$", health, 60)
    board = json.loads((ROOT / "docker/grafana/boards/passerby.json").read_text())
    questions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]

    def unanswered() -> str:
        return str([text for text in questions if not asked(f"query?query={quote(text)}")["result"]])

    wait_for(r"^\[\]$", unanswered, RATES_S)
    print(f"   Prometheus: both nodes are up, and the {len(questions)} questions of the board have answers")

    def rules() -> str:  # each is unknown until it has been evaluated once
        groups = asked("rules")["groups"]
        return " ".join(sorted({rule["health"] for group in groups for rule in group["rules"]}))  # type: ignore[attr-defined]

    wait_for("^ok$", rules, 120)


def goes_on(stranger: "Stranger", said: str) -> None:
    """Wait until the camera is followed; numbers go on from those of before."""
    is_followed(stranger, said)
    people = sh(f"{COMPOSE} exec -T job passerby ledger people /out/east").splitlines()
    highest = int(people[-1].split()[0])
    print(f"   {len(people)} people in the ledger, the highest number is {highest}")
    assert highest >= stranger.highest
    stranger.highest = highest


def is_saved(stranger: "Stranger", _: str) -> None:
    """Note the highest number: people who come after the backup are not in it."""
    stranger.saved = stranger.highest


def is_restored(stranger: "Stranger", _: str) -> None:
    stranger.highest = stranger.saved


def camera_is_lost(stranger: "Stranger", _: str) -> None:
    """See in the other terminal that an alert says so."""
    wait_for("camera_lost", stranger.terminals[-1].read, 120)


STEPS = (
    Step("docker build", then=image_is_small),
    Step("docker run --rm --read-only --tmpfs /tmp passerby", r"all cameras together: IDF1 0\.9\d\d"),
    Step("docker run --rm -p 127.0.0.1:8400:8400", r"first login: admin", stays=True, then=page_opens),
    Step("docker run --rm -v /footage", r"[1-9]\d* people, [1-9]\d* sightings[\s\S]*files: /out/east"),
    Step(f"{COMPOSE} up --build", FOLLOWED, stays=True, then=is_measured),
    Step(f"{COMPOSE} logs job", FOLLOWED),
    Step(f"{COMPOSE} logs console", LOGIN.pattern, then=page_opens),
    Step(f"{COMPOSE} exec job passerby status /out/east", r"\d+ sightings, 1 cameras\n$"),
    Step(f"{COMPOSE} exec head passerby alerts tail", stays=True),
    Step(f"{COMPOSE} stop publisher", then=camera_is_lost),
    Step(f"{COMPOSE} start publisher", then=goes_on),
    Step(f"{COMPOSE} down"),
    Step(f"{COMPOSE} up -d", then=goes_on),
    Step(f"{COMPOSE} stop job console"),
    Step(f"{COMPOSE} run --rm -T --no-deps --entrypoint tar job -C /out -cz . > saved.tgz", then=is_saved),
    Step(f"{COMPOSE} start job console", then=goes_on),
    Step(f"{COMPOSE} down -v"),
    Step(f"{COMPOSE} run --rm -T --no-deps --entrypoint tar job -C /out -xz < saved.tgz", then=is_restored),
    Step(f"{COMPOSE} up -d", then=goes_on),
    Step(f"{COMPOSE} stop job"),
    Step(f"{COMPOSE} up -d --build", then=goes_on),
)
"""The commands of the document in order; one that is not here fails the test."""


class Terminal:
    """A command in a terminal of its own.

    Attributes:
        file: What it prints.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self.file = folder / f"{abs(hash(command))}.txt"
        with self.file.open("w") as file:
            self._process = subprocess.Popen(
                ["bash", "-c", f"exec {here(command)}"],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def read(self) -> str:
        """Return what it has printed."""
        return self.file.read_text(errors="replace")

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(120)


@dataclass(slots=True)
class Stranger:
    """Somebody who types what the document says.

    Attributes:
        folder: Where the terminals keep what they show.
        terminals: Those that a command keeps busy.
        highest: The highest number of a person that the site has given so far.
        saved: The same of the time of the backup.
    """

    folder: Path
    terminals: list[Terminal] = field(default_factory=list)
    highest: int = 0
    saved: int = 0

    def try_step(self, command: str, step: Step) -> None:
        """Type a command, and see that it does what the document says."""
        if step.stays:
            self.terminals.append(Terminal(self.folder, command))
            said = wait_for(step.says, self.terminals[-1].read, 300)
        else:
            said = sh(command)
            assert re.search(step.says, said), f"expected {step.says}, got\n{said[-3000:]}"
        lines = said.splitlines()
        shown = [line for line in lines if step.says and re.search(step.says, line)] or lines
        print("\n".join(f"   {line[:200]}" for line in shown[-3:]), flush=True)
        if step.then is not None:
            step.then(self, said)
        if step.stays and step.command.startswith("docker run"):
            self.terminals.pop().interrupt()


def commands() -> list[str]:
    """Return the documented commands that need an engine, in order."""
    return [
        line.split("  #")[0].strip()
        for block in blocks_of(DOCUMENT)
        if "docker" in block.needs and block.run_by is None
        for line in block.code.splitlines()
        if line.strip()
    ]


def here(command: str) -> str:
    """Return a command as this engine takes it: what it lacks is replaced."""
    command = command.replace("docker build", f"docker build {os.environ.get('BUILD', '')}")
    if "up" in command.split() and not has_grafana():
        command = f"{command} {' '.join(SERVICES)}"
    if os.environ.get("BUILD") and "--build" in command.split():
        build = here("docker build -q -f docker/Dockerfile -t passerby .")
        command = f"bash -c '{build} && exec {command.replace(' --build', '')}'"
    command = command.replace("docker compose", " ".join(compose_program()))
    command = (
        re.sub(r" exec (?!-T)", " exec -T ", command) if " exec head" in command or " exec job" in command else command
    )
    if "/footage:/footage" in command:  # a film of rendered people, whom the default detector does not know
        command = f"{command} detector=passerby"
    command = command.replace("saved.tgz", str(SAVED))
    return command.replace("/footage:/footage", f"{ROOT}/connectors/synthetic/demo:/footage")


def has_grafana() -> bool:
    """Return whether the engine has the image of Grafana, or gets it."""
    text = re.search(r"image: (grafana/\S+)", (ROOT / "docker/compose.yaml").read_text())
    assert text is not None
    asked = ("image", "inspect"), ("pull", "-q")
    return any(
        subprocess.run(["docker", *ask, text[1]], capture_output=True, check=False).returncode == 0 for ask in asked
    )


def sh(command: str) -> str:
    """Return what a command printed; it must end with exit code 0."""
    done = subprocess.run(["bash", "-c", here(command)], cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{said[-3000:]}"
    return said


def wait_for(expression: str, ask: Callable[[], str], timeout_s: float) -> str:
    """Return what is said once it has an expression."""
    until = time.monotonic() + timeout_s
    while not re.search(expression, said := ask()):
        assert time.monotonic() < until, f"expected {expression} within {timeout_s:g} s, got\n{said[-3000:]}"
        time.sleep(1.0)
    return said


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    """A stranger at an engine without the site; it is taken away again."""
    if (reason := why_no_engine()) is not None:
        pytest.skip(reason)
    down = [*compose_program(), "-f", str(ROOT / "docker/compose.yaml"), "down", "-v", "-t", "20"]

    def clear() -> None:
        subprocess.run(down, capture_output=True, check=False)
        subprocess.run(["docker", "volume", "rm", "out"], capture_output=True, check=False)
        SAVED.unlink(missing_ok=True)

    clear()
    stranger = Stranger(tmp_path)
    yield stranger
    for terminal in stranger.terminals:
        terminal.interrupt()
    clear()


def test_documented_commands_do_what_the_document_says(stranger: Stranger) -> None:
    documented = commands()
    assert [step.command for step in STEPS] == [
        command[: len(step.command)] for step, command in zip(STEPS, documented, strict=True)
    ]
    wrong: list[str] = []  # a stranger goes on after a command that fails
    for command, step in zip(documented, STEPS, strict=True):
        began = time.monotonic()
        print(f"\n$ {command}", flush=True)
        try:
            stranger.try_step(command, step)
        except (AssertionError, Error, OSError) as error:
            wrong.append(f"{command}: {error}")
            print(f"   WRONG: {error}", flush=True)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
    assert wrong == []
