"""Drills on a whole site: ``make containers`` runs them, and writes what it measured into docs/deployment.md.

Needs a Docker engine, the image ``passerby``, and half an hour. ARGS='-k worker' runs a part of them.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from compose_site import (
    CUT_S,
    FPS,
    PROJECT,
    ROOT,
    SERVICES,
    Site,
    docker,
    documented_camera,
    why_no_engine,
    with_another_camera,
)
from console_browser import chromium, go, opened
from document_blocks import blocks_of

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]

PAGE = ROOT / "docs/deployment.md"
BEGIN, END = "<!-- drills: begin -->", "<!-- drills: end -->"
HEAD = (
    "| what | no frames for, s | followed again, s after it began | frames not seen | submissions "
    "| highest number before, after | lost or twice | load |\n|---|--:|--:|--:|--:|---|---|--:|\n"
)
ACTIONS: dict[str, Callable[[Site, str], None]] = {
    "killed": lambda site, service: site.kill(service),
    "restarted": lambda site, service: site.restart(service),
    "made anew": lambda site, service: site.make_anew(service),
}
UPGRADE = "upgraded from the version before"
WITHIN_S = {"worker killed": 20.0, "worker stays dead": 20.0, "backed up, lost and restored": 120.0, UPGRADE: 120.0}
"""Seconds within which the camera must be followed again; 60 for what is not named, 120 where all is made anew."""
MAX_SUBMISSIONS = {
    "job killed": 0,
    "worker cut off for 60 s": 0,
    "kafka cut off for 60 s": 0,
    "worker stays dead": 0,
    "head restarted": 2,
}
"""Submissions that a drill may lead to; 1 for what is not named: no run is refused and tried again. Compose restarts
the container of the run after that of the head, when it may have been submitted already."""
AFTER_RETURN_S = {"head": 60.0}
"""Seconds after the return of the network within which the camera must be followed again; 20 for what is not named. A
head that was cut off has lost its cluster, and the run is submitted again."""
PATIENCE_S = 600.0
"""Seconds after which a drill is broken off. More than any limit, so that the table says how late it was."""


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    """What was measured, by drill; written into the page after each."""
    return {}


@pytest.fixture(scope="module")
def site(rows: dict[str, str]) -> Iterator[Site]:
    """A site that follows its camera; volumes are removed at the end.

    PASSERBY_KEEP_SITE=1 uses the one that is up, started with ``docker compose -p passerby-drills``, and leaves it.
    """
    if (reason := why_no_engine()) is not None:
        pytest.skip(reason)
    site = Site()
    is_kept = bool(os.environ.get("PASSERBY_KEEP_SITE"))
    began = time.time()
    if not is_kept:
        site.down()
        began = time.time()
        site.up()
    site.watch()
    at = site.followed_at(began, PATIENCE_S)
    assert at is not None, site.compose("logs", "--tail=40").decode()
    if not is_kept:
        rows["up on an empty machine"] = f"| up on an empty machine | – | {at - began:.0f} | – | 1 | – | – | {load()} |"
        time.sleep(30.0)  # people are there to be remembered
    yield site
    site.stop_watching()
    if not is_kept:
        site.down()


def drill(site: Site, rows: dict[str, str], name: str, act: Callable[[], None], *, cut_s: float = 0.0) -> None:
    """Do something to the site, and see that the camera is followed again, that numbers go on, and nothing is lost."""
    if name.startswith("worker"):  # actors that lost it once stay on the head
        restarted_at = time.time()
        site.restart("job")
        assert site.followed_at(restarted_at, PATIENCE_S) is not None
    before = site.checked or site.check()
    began = time.time()
    act()
    at = site.followed_at(max(began + cut_s, time.time()), PATIENCE_S)
    assert at is not None, f"{name}: not followed\n{site.compose('logs', '--tail=40', 'job', 'head').decode()}"
    time.sleep(10.0)
    until = time.time()
    after = site.check()
    missed = max(0, round(FPS * (until - began)) - site.num_processed(began, until))
    pause_s = site.longest_pause_s(began, until)
    wrong = [*(f"lost {key}" for key in after["lost"]), *(f"twice {key}" for key in after["twice"]), *after["faults"]]
    again_s = at - began
    submitted = site.num_submissions(began)
    rows[name] = (
        f"| {name} | {pause_s:.0f} | {again_s:.0f} | {missed} | {submitted} | {before['highest']}, {after['highest']} "
        f"| {'; '.join(wrong) or 'nothing'} | {load()} |"
    )
    write_table(PAGE, rows)
    print(rows[name])
    assert wrong == []
    assert after["ledgers"] == ["ledger.sqlite"]
    assert after["highest"] >= before["highest"]
    assert after["sightings"] >= before["sightings"]
    assert submitted <= MAX_SUBMISSIONS.get(name, 1), f"{name}: {submitted} submissions"
    limit_s = cut_s + AFTER_RETURN_S.get(name.split()[0], 20.0) if cut_s else WITHIN_S.get(name, 60.0)
    assert again_s <= limit_s, f"{name}: followed again after {again_s:.0f} s, expected {limit_s:.0f} s"


def test_a_site_is_upgraded(rows: dict[str, str]) -> None:
    """PASSERBY_BEFORE is the folder of the version before; its image is ``passerby:before``."""
    if (reason := why_no_engine()) is not None:
        pytest.skip(reason)
    if not (folder := os.environ.get("PASSERBY_BEFORE")):
        pytest.skip("PASSERBY_BEFORE: expected the folder of the version before, got nothing")
    old, new = Site(Path(folder) / "docker/compose.yaml"), Site()

    def update() -> None:
        old.compose("stop", "job")
        docker("tag", "passerby:now", "passerby")
        new.up()
        if new.needs_a_person():  # the state of before cannot be continued: the way that the document shows
            for command in forget_commands():
                new.compose(*command)

    docker("tag", "passerby", "passerby:now")
    try:
        new.down()
        docker("tag", "passerby:before", "passerby")
        began = time.time()
        old.up()
        new.watch()
        assert new.followed_at(began, PATIENCE_S) is not None
        time.sleep(30.0)
        drill(new, rows, UPGRADE, update)
    finally:
        docker("tag", "passerby:now", "passerby")
        new.down()


def forget_commands() -> list[list[str]]:
    """Return the documented way on where the earlier version cannot come back, as arguments of docker compose."""
    block = next(block for block in blocks_of(PAGE) if "ledger forget" in block.code and block.language == "sh")
    prefix = "docker compose -f docker/compose.yaml "
    return [
        line.removeprefix(prefix).replace("exec ", "exec -T ", 1).split() for line in block.code.splitlines() if line
    ]


def test_the_alerts_fire_when_they_should() -> None:
    if (reason := why_no_engine()) is not None:
        pytest.skip(reason)
    image = Site().images()["prometheus"]
    mounts = ("-v", f"{ROOT}/docker:/docker:ro", "-v", f"{ROOT}/tests/support/alerts_test.yaml:/tests/alerts.yaml:ro")
    promtool = ("run", "--rm", "--network=none", "--entrypoint=promtool", *mounts, image)
    assert "SUCCESS" in docker(*promtool, "test", "rules", "/tests/alerts.yaml")


def test_the_page_and_the_targets_can_be_seen(site: Site, screenshots: Path | None) -> None:
    """``--screenshots DIR`` keeps the pictures."""
    said = site.compose("logs", "--no-log-prefix", "console").decode()
    password = said.rsplit("first login: admin / ", 1)[1].split()[0]
    with chromium() as browser:
        with opened(browser, "http://127.0.0.1:8400/") as page:
            page.get_by_label("Name").fill("admin")
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_selector("nav")
            go(page, "health")
            page.get_by_role("cell", name="east", exact=True).first.wait_for()
            if screenshots is not None:
                page.screenshot(path=screenshots / "site_console.png")
        prometheus = "http://127.0.0.1:9090"
        with urlopen(f"{prometheus}/api/v1/targets") as answer:
            targets = json.load(answer)["data"]["activeTargets"]
        assert [target["health"] for target in targets] == ["up", "up"]  # head and worker
        if screenshots is not None:
            page = browser.new_page()
            page.goto(f"{prometheus}/classic/targets")  # Debian's has no other page
            page.screenshot(path=screenshots / "site_targets.png")


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_be(service: str, action: str, site: Site, rows: dict[str, str]) -> None:
    drill(site, rows, f"{service} {action}", lambda: ACTIONS[action](site, service))


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_be_cut_off(service: str, site: Site, rows: dict[str, str]) -> None:
    drill(site, rows, f"{service} cut off for {CUT_S:.0f} s", lambda: site.cut(service), cut_s=CUT_S)


def test_a_worker_may_stay_dead(site: Site, rows: dict[str, str]) -> None:
    try:
        drill(site, rows, "worker stays dead", lambda: site.kill_for_good("worker"))
    finally:
        site.start("worker")


def test_a_site_is_backed_up_and_restored(site: Site, rows: dict[str, str]) -> None:
    tar = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "tar", "job", "-C", "/out")

    def lose_and_restore() -> None:
        site.compose("stop", "job", "console")
        saved = site.compose(*tar, "-cz", ".")
        site.stop_watching()
        site.compose("down")
        docker("volume", "rm", f"{PROJECT}_out")
        site.compose(*tar, "-xz", stdin=saved)
        site.up()
        site.watch()

    drill(site, rows, "backed up, lost and restored", lose_and_restore)


def test_a_camera_is_added(site: Site, rows: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two edits that the document shows."""
    monkeypatch.setenv("PASSERBY_FOOTAGE", str(ROOT / "connectors/synthetic/demo"))
    monkeypatch.setenv("PASSERBY_WEIGHTS", str(ROOT / "models/weights"))
    shutil.copytree(ROOT / "docker", tmp_path / "docker")
    more = Site(tmp_path / "docker/compose.yaml")
    more.file.write_text(with_another_camera(more.file.read_text(), documented_camera(PAGE)))

    def add() -> None:
        more.compose("up", "-d", *SERVICES, "publisher-west")

    try:
        drill(site, rows, "a camera added", add)
        assert "camera west: 0 frames" not in site.compose("logs", "--since", "15s", "job").decode()
        assert "camera west: " in site.compose("logs", "--since", "15s", "job").decode()
    finally:
        more.compose("rm", "-sf", "publisher-west")
        site.up()


def load() -> str:
    """Return the load of this machine over the last minute, against which the times are to be read."""
    return f"{os.getloadavg()[0]:.0f}"


def write_table(page: Path, rows: dict[str, str]) -> None:
    """Put what was measured into a page, by name; rows of other drills stay."""
    before, _, rest = page.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines() if line.startswith("| ")}
    kept.pop("what", None)
    page.write_text(
        f"{before}{BEGIN}\n\n{HEAD}" + "".join(f"{row}\n" for row in sorted((kept | rows).values())) + f"\n{END}{after}"
    )
