"""Answers of the page about people, alerts and uncertain sightings."""

import io
import json
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from console_page import PART, RunningPage

from connectors.console.store.accounts import Role
from connectors.private_database import Database
from pipeline.core import AlertState
from pipeline.ledger import Ledger


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    with RunningPage(tmp_path_factory.mktemp("run")) as running:
        running.add_pictures()
        yield running


@pytest.fixture(scope="module")
def client(page: RunningPage):
    with page.client("ann", Role.ADMINISTRATOR) as logged_in:
        yield logged_in


def numbers(answer) -> list[int]:
    return [each["person"] for each in answer.json()["people"]]


def test_people_are_listed_newest_first(client) -> None:
    assert numbers(client.get("/api/people")) == [4, 3, 2, 1]


def test_people_are_found_by_number_camera_and_time(client) -> None:
    assert numbers(client.get("/api/people", params={"number": 3})) == [3]
    assert numbers(client.get("/api/people", params={"camera": "west"})) == [2, 1]
    assert numbers(client.get("/api/people", params={"since": 25})) == [4, 3]
    assert numbers(client.get("/api/people", params={"camera": "east", "until": 5})) == [1]


def test_a_person_has_sightings_in_order_and_candidates(client) -> None:
    person = client.get("/api/people/1").json()
    assert [(each["track"], each["part"]) for each in person["sightings"]] == [
        ("east/0/1", 0),
        ("east/0/1", 1),
        ("west/0/1", 0),
    ]
    assert all(each["quality"] is not None for each in person["sightings"])
    assert [(each["person"], each["probability"]) for each in person["candidates"]] == [(2, 0.4)]


def test_why_shows_the_probability_and_the_runner_up(client) -> None:
    why = client.get("/api/why", params={"track": "west/0/2", "part": 0}).json()
    assert (why["outcome"], why["probability"], why["runner_up"]) == ("tentative", 0.6, 1)
    assert why["gates"] == ["looks like person 1"]
    assert why["runner_up_picture"]["track"] in ("east/0/1", "west/0/1")


def test_a_picture_is_a_jpeg(client) -> None:
    answer = client.get("/api/picture", params=PART)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")


def test_alerts_are_filtered_acknowledged_commented_and_muted(client) -> None:
    assert [each["rule"] for each in client.get("/api/alerts").json()["alerts"]] == ["line", "dwell"]
    assert [each["rule"] for each in client.get("/api/alerts", params={"camera": "east"}).json()["alerts"]] == ["dwell"]
    assert client.get("/api/alerts", params={"since": 5, "rule": "dwell"}).json()["num"] == 0
    taken = client.post("/api/alerts/acknowledge", json={"key": "dwell/1/0.5"}).json()
    assert (taken["state"], taken["acknowledged"]["by"]) == ("acknowledged", "ann")
    said = client.post("/api/alerts/comment", json={"key": "dwell/1/0.5", "text": "<b>waits for a friend</b>"}).json()
    assert said["comments"][0]["text"] == "<b>waits for a friend</b>"
    assert client.post("/api/alerts/comment", json={"key": "none", "text": "x"}).status_code == 404
    assert "dwell" in client.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 60}).json()["muted"]
    assert client.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 0}).json()["muted"] == {}


def test_an_acknowledgement_ends_when_the_alert_is_retracted_and_can_be_given_again(tmp_path: Path) -> None:
    key = "dwell/1/0.5"

    def standing(alert: dict[str, Any]) -> tuple[str, str | None]:
        return alert["state"], (alert["acknowledged"] or {}).get("by")

    old = Database(
        tmp_path / "console/journal.sqlite", "CREATE TABLE acknowledged (key TEXT PRIMARY KEY, at REAL, by TEXT)"
    )
    old.change("INSERT INTO acknowledged VALUES (?, 1.0, 'old')", key)  # by a version that knew no numbers of states
    old.close()
    with RunningPage(tmp_path) as page, page.client("ann") as client:

        def shown() -> tuple[str, str | None]:
            (alert,) = client.get("/api/alerts", params={"key": key}).json()["alerts"]
            return standing(alert)

        assert shown() == ("acknowledged", "old")
        raised = page.state.ledger_view.alerts()[-1]
        ledger = Ledger(tmp_path / "ledger.sqlite")
        ledger.append([replace(raised, state=AlertState.RETRACTED, revision=2)])
        assert shown() == ("retracted", None)
        ledger.append([replace(raised, revision=3)])
        ledger.close()
        assert shown() == ("raised", None)
        assert client.get("/api/alerts", params={"state": "raised", "key": key}).json()["num"] == 1
        assert standing(client.post("/api/alerts/acknowledge", json={"key": key}).json()) == ("acknowledged", "ann")
        assert shown() == ("acknowledged", "ann")


def test_alerts_that_have_ended_are_found_by_the_word_that_the_page_shows(tmp_path: Path) -> None:
    with RunningPage(tmp_path) as page, page.client("ann") as client:
        over, going = page.state.ledger_view.alerts()[-2:]
        ledger = Ledger(tmp_path / "ledger.sqlite")
        amended = {"state": AlertState.AMENDED, "revision": 2}
        ledger.append([replace(over, ended_at=50.0, **amended), replace(going, **amended)])
        ledger.close()

        def keys(state: str) -> set[str]:
            return {each["key"] for each in client.get("/api/alerts", params={"state": state}).json()["alerts"]}

        while keys("amended") != {over.key, going.key}:
            time.sleep(0.05)
        assert keys("ended") == {over.key}
        refused = client.get("/api/alerts", params={"state": "nonsense"}).json()["detail"]
        assert [each["msg"].startswith("state: expected one of 'raised'") for each in refused] == [True]


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([1, -1], "person_ids: expected at least 1; correct it"),
        ([1, 1.5], "person_ids: expected a whole number; correct it"),
        (["x", 1], "person_ids: expected a whole number; correct it"),
        (None, "person_ids: expected another value, as the API page says; correct it"),
    ],
)
def test_what_a_request_lacks_is_said_in_a_sentence(page: RunningPage, people: object, message: str) -> None:
    with page.client("zoe") as client:
        refused = client.post("/api/corrections", json={"kind": "merge", "person_ids": people})
        assert refused.status_code == 422
        assert [each["msg"] for each in refused.json()["detail"]] == [message]


def test_an_alert_that_somebody_handles_is_acknowledged_by_nobody_else(tmp_path: Path) -> None:
    key = "dwell/1/0.5"
    with RunningPage(tmp_path) as page, page.client("ann") as ann, page.client("bob") as bob:
        for _ in range(2):
            assert ann.post("/api/alerts/acknowledge", json={"key": key}).json()["acknowledged"]["by"] == "ann"
        refused = bob.post("/api/alerts/acknowledge", json={"key": key})
        assert (refused.status_code, refused.json()["detail"][:15]) == (409, "ann handles it;")
        both = bob.post("/api/alerts/acknowledge-all", json={"keys": [key, "no/such/alert"]}).json()
        assert both == {
            "acknowledged": [],
            "left_out": [
                {"key": key, "why": refused.json()["detail"]},
                {"key": "no/such/alert", "why": "there is no such alert"},
            ],
        }
        audit = page.state.ledger_view.audit()
        assert not [entry for entry in audit if entry.action == "alerts acknowledged"], "nothing was done"
        assert bob.post("/api/alerts/take-back", json={"keys": [key]}).json() == {"open": [key]}
        assert bob.post("/api/alerts/acknowledge", json={"key": key}).json()["acknowledged"]["by"] == "bob"
        ledger = Ledger(tmp_path / "ledger.sqlite")
        alert = page.state.ledger_view.alerts()[-1]
        ledger.append([replace(alert, state=AlertState.RETRACTED, revision=2)])
        ledger.close()
        refused = bob.post("/api/alerts/acknowledge", json={"key": key})
        assert (refused.status_code, "was retracted" in refused.json()["detail"]) == (409, True)


def test_an_uncertain_sighting_is_a_question(client) -> None:
    found = client.get("/api/review").json()
    assert found["num"] == 1
    (question,) = found["questions"]
    assert question["first"]["track"] == "west/0/2"
    assert question["persons"] == [2, 1]
    assert question["probability"] == 0.4


def test_the_audit_asks_for_pairs_and_then_estimates_precision_and_recall(page: RunningPage, client) -> None:
    found = client.get("/api/audit-sample").json()
    assert found["precision"] is None
    for pair in found["pairs"]:
        is_same = {pair["first"]["track"], pair["second"]["track"]} == {"east/0/1", "west/0/1"}
        first, second = ({"track": pair[side]["track"], "part": pair[side]["part"]} for side in ("first", "second"))
        answer = {"first": first, "second": second, "is_same": is_same, "purpose": "audit"}
        assert client.post("/api/review", json=answer).json()["correction"] is None
    found = client.get("/api/audit-sample").json()
    assert found["num_labelled"] == found["num"] > 1
    assert found["precision"]["value"] == found["recall"]["value"] == 1.0
    assert found["precision"]["low"] < 0.5  # a single pair of one person says little
    assert page.state.ledger_view.commands() == []


def test_an_export_has_the_record_and_hides_heads_of_others(page: RunningPage, client) -> None:
    answer = client.get("/api/people/1/export.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        record = json.loads(file.read("record.json"))
        assert [each["camera"] for each in record["sightings"]] == ["east", "east", "west"]
        assert [each["key"] for each in record["alerts"]] == ["dwell/1/0.5"]
        given = cv2.imdecode(np.frombuffer(file.read("pictures/0001.jpg"), np.uint8), cv2.IMREAD_COLOR)
        kept = cv2.imdecode(np.frombuffer(client.get("/api/picture", params=PART).content, np.uint8), cv2.IMREAD_COLOR)
    half = kept.shape[0] // 2
    change = np.abs(given.astype(int) - kept.astype(int)).mean(axis=(1, 2))
    assert change[: half - 8].mean() > 10 * change[half + 8 :].mean()


def test_search_and_export_are_in_the_audit(client) -> None:
    client.get("/api/people", params={"number": 2})
    client.get("/api/people/2/export.zip")
    written = {(entry["what"], entry["by"]) for entry in client.get("/api/audit").json()}
    assert {("search", "ann"), ("export", "ann"), ("login", "ann")} <= written


def test_a_search_is_told_in_words_in_the_audit(client) -> None:
    client.get("/api/people", params={"name": "Anna", "camera": "east", "since": 1.5})
    newest = client.get("/api/audit").json()[0]
    assert (newest["what"], newest["subject"]) == ("search", "name Anna; camera east; from 1.500")


def test_a_preview_of_a_merge_is_a_look_and_no_search(client) -> None:
    searches = [entry for entry in client.get("/api/audit").json() if entry["what"] == "search"]
    shown = client.get("/api/people/2/preview").json()
    assert (shown["person"], shown["picture"]["track"]) == (
        2,
        client.get("/api/people/2").json()["sightings"][0]["track"],
    )
    assert client.get("/api/people/999/preview").status_code == 404
    audit = client.get("/api/audit").json()
    assert ("look", "person 2") in [(entry["what"], entry["subject"]) for entry in audit]
    assert [entry for entry in audit if entry["what"] == "search"] == searches


def test_health_has_the_observed_transit_times(client) -> None:
    (transit,) = client.get("/api/health").json()["transits"]
    assert (transit["from"], transit["to"], transit["num"]) == ("east", "west", 1)
    assert transit["median_s"] == pytest.approx(8.1)
