"""What a run has learned of its site is proposed in the page, accepted and rejected: over runs of the real matcher."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from console_page import RunningPage
from walkers import Walkers, config_of, make_actor, run_walkers

from connectors.console.store.accounts import Role
from pipeline.association.geometry.topology import TransitBounds
from pipeline.cli.learned import main
from pipeline.config.plan import make_plan

RIGHT, WRONG = Walkers(), Walkers(ahead_s=4.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("right")
    run_walkers(found, RIGHT)
    return found


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with RunningPage(folder) as page, page.client("ada", Role.ADMINISTRATOR) as client:
        client.timeout = httpx.Timeout(120)
        yield client


def learned(client: httpx.Client) -> dict[str, dict]:
    return {each["key"]: each for each in client.get("/api/learned").json()}


def test_transit_times_and_overlaps_are_within_their_stated_bounds_of_the_truth(client: httpx.Client) -> None:
    found = learned(client)
    assert set(found) == {"no_overlap east west", "transit east west"}
    transit, truth_s = found["transit east west"], RIGHT.takes_s()
    assert abs(transit["value"]["typical_s"] - RIGHT.median_s) < 3 * transit["error_s"] < 1.5
    assert transit["value"]["min_s"] <= truth_s.min() < transit["quantiles_s"][0]
    assert transit["value"]["max_s"] == "unlimited"
    assert found["no_overlap east west"]["num_people"] == RIGHT.num
    assert found["no_overlap east west"]["at_most"] == pytest.approx(0.037, abs=0.001)


def test_the_offset_of_a_clock_is_within_its_stated_error_of_the_truth_and_a_new_run_takes_it(tmp_path: Path) -> None:
    run_walkers(tmp_path, WRONG)
    with RunningPage(tmp_path) as page, page.client("ada", Role.ADMINISTRATOR) as client:
        client.timeout = httpx.Timeout(120)
        (offset,) = client.get("/api/learned").json()  # the transit times of the pair wait for it
        assert (offset["key"], offset["now"]) == ("offset west", 0.0)
        assert abs(offset["value"] + WRONG.ahead_s) < 3 * offset["error_s"] < 2.0
        saved = client.post("/api/learned/accept", params={"key": "offset west", "reason": "as measured"}, json={})
        assert (saved.json()["number"], saved.json()["cameras"]) == (2, {"west": "next_start"})
        assert client.get("/api/learned").json() == []
        newest = client.get("/api/rules").json()["versions"][0]
        assert (newest["by"], newest["reason"]) == ("ada", "learned: offset west: as measured")
        assert f"offset_s: {{west: {offset['value']:g}}}" in "\n".join(client.get("/api/rules/2").json()["diff"])
        assert make_plan(config_of(tmp_path), has_detector=False).intakes["west"].offset_s == offset["value"]

        back = client.post("/api/rules/1/restore", params={"base": 2}, json={}).json()
        assert back["cameras"] == {"west": "next_start"}
        assert make_plan(config_of(tmp_path), has_detector=False).intakes["west"].offset_s == 0.0
        assert list(learned(client)) == ["offset west"]


def test_the_command_says_the_same_in_words(folder: Path, client: httpx.Client, capsys: pytest.CaptureFixture) -> None:
    assert main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(learned(client)) == 2
    assert lines[0] == "east and west never see one person at once: none of 80 people; at most 3.7% of people"
    assert main([str(folder / "elsewhere")]) != 0
    assert "left no configuration" in capsys.readouterr().err


def test_a_rejected_proposal_comes_back_only_on_other_evidence(folder: Path, client: httpx.Client) -> None:
    assert client.post("/api/learned/reject", params={"key": "no_overlap east west"}, json={}).status_code == 200
    assert list(learned(client)) == ["transit east west"]
    assert client.post("/api/learned/reject", params={"key": "no_overlap east west"}, json={}).status_code == 409
    told = [(each["what"], each["about"]) for each in client.get("/api/audit").json()]
    assert ("proposal rejected", "no_overlap east west") in told
    path = folder / "summary.json"
    before = path.read_text()
    summary = json.loads(before)
    summary["pairs"][0]["num_people"] *= 2
    path.write_text(json.dumps(summary))
    assert set(learned(client)) == {"no_overlap east west", "transit east west"}
    path.write_text(before)


def test_what_is_accepted_is_a_version_that_a_new_run_obeys(folder: Path, client: httpx.Client) -> None:
    assert client.post("/api/learned/accept", params={"key": "transit east west"}, json={}).status_code == 200
    (entry,) = yaml.safe_load((folder / "edits.yaml").read_text())["site"]["transit_times"]
    assert entry["max_s"] == float("inf")
    assert "transit east west" not in learned(client)
    assert client.post("/api/learned/accept", params={"key": "transit east west"}, json={}).status_code == 409

    async def begun() -> TransitBounds:
        actor = make_actor(folder)
        await actor.deliver("east", [], 1.0, 0.0, None)
        bounds = actor._reducer.match._constraints.topology.transit_times["east", "west"]
        actor._reader.close()
        actor._ledger.close()
        return bounds

    (folder / "ledger.sqlite").rename(folder / "ledger.before")
    assert asyncio.run(begun()) == TransitBounds(entry["min_s"], np.inf, entry["typical_s"])


def test_only_an_administrator_who_sees_all_cameras_decides(folder: Path) -> None:
    with RunningPage(folder) as page:
        for role, cameras in ((Role.OPERATOR, None), (Role.ADMINISTRATOR, ("west",))):
            with page.client("eve", role, cameras) as client:
                asked = [client.get("/api/learned")]
                asked += [
                    client.post(f"/api/learned/{what}", params={"key": "offset west"}, json={})
                    for what in ("accept", "reject")
                ]
                assert [answer.status_code for answer in asked] == [403] * 3
