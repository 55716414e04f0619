"""Corrections by operators, on what a run left."""

import sqlite3
from pathlib import Path

import httpx
import pytest
from console_page import EAST_PART, PART, RunningPage, make_jpeg

from connectors.console.store.pictures import Picture
from pipeline.core import CommandKind, CorrectionCommand
from pipeline.ledger import submit_command
from pipeline.ledger.apply import apply_pending


@pytest.fixture
def page(tmp_path: Path):
    with RunningPage(tmp_path / "run") as running:
        running.add_pictures()
        yield running


@pytest.fixture
def client(page: RunningPage):
    with page.client("ann") as logged_in:
        yield logged_in


def order(client: httpx.Client, **wanted: object) -> dict:
    answer = client.post("/api/orders", json=wanted)
    assert answer.status_code == 202, answer.text
    return answer.json()


def tracks(client: httpx.Client, person_id: int) -> list[str]:
    return sorted({each["track"] for each in client.get(f"/api/people/{person_id}").json()["sightings"]})


def test_a_merge_shows_everywhere_and_its_undo_takes_it_back(client: httpx.Client) -> None:
    placed = order(client, kind="merge", person_ids=[1, 2], reason="same coat")
    assert (placed["state"], placed["by"]) == ("done", "ann")
    assert tracks(client, 1) == ["east/0/1", "west/0/1", "west/0/2"]
    assert client.get("/api/people/2").json()["person"] == 1
    assert {each["person"] for each in client.get("/api/alerts").json()["alerts"]} == {1}
    assert [each["person"] for each in client.get("/api/people").json()["people"]] == [4, 3, 1]
    assert client.get("/api/people/1").json()["corrections"][0]["reason"] == "same coat"

    undone = client.post(f"/api/orders/{placed['number']}/undo", json={}).json()
    assert (undone["kind"], undone["state"]) == ("split", "done")
    assert tracks(client, 1) == ["east/0/1", "west/0/1"]


def test_a_split_gives_a_new_number_and_its_undo_takes_it_back(client: httpx.Client) -> None:
    placed = order(client, kind="split", person_ids=[1], parts=[{"track": "west/0/1", "part": 0}])
    assert tracks(client, 1) == ["east/0/1"]
    assert tracks(client, 5) == ["west/0/1"]
    client.post(f"/api/orders/{placed['number']}/undo", json={})
    assert tracks(client, 1) == ["east/0/1", "west/0/1"]


def test_an_order_that_cannot_be_carried_out_says_why(client: httpx.Client) -> None:
    placed = order(client, kind="split", person_ids=[1], parts=[{"track": "east/0/2", "part": 0}])
    assert placed["state"] == "refused"
    assert "person 3" in placed["outcome"]
    answer = client.post("/api/orders", json={"kind": "merge", "person_ids": [1, 99]})
    assert answer.status_code == 404
    assert client.post("/api/orders", json={"kind": "merge", "person_ids": [1, 1]}).status_code == 422


def test_a_name_puts_somebody_on_the_watch_list(client: httpx.Client) -> None:
    order(client, kind="name", person_ids=[3], name="<i>lost child</i>")
    assert client.get("/api/people/3").json()["name"] == "<i>lost child</i>"


def test_an_answer_is_carried_out_and_not_asked_again(page: RunningPage, client: httpx.Client) -> None:
    (question,) = client.get("/api/decide").json()["questions"]
    first, second = ({name: question[side][name] for name in ("track", "part")} for side in ("first", "second"))
    answer = {"first": first, "second": second, "is_same": True, "purpose": "queue"}
    number = client.post("/api/decide", json=answer).json()["order"]
    assert client.get(f"/api/orders/{number}").json()["kind"] == "merge"
    assert tracks(client, 1) == ["east/0/1", "west/0/1", "west/0/2"]
    found = client.get("/api/decide").json()
    assert found["num"] == 0
    assert [(each["num"], each["same"]) for each in found["calibration"]][1:3] in ([(0, 0), (1, 1)], [(1, 1), (0, 0)])


def test_two_who_are_different_are_confirmed_as_they_are(client: httpx.Client) -> None:
    (question,) = client.get("/api/decide").json()["questions"]
    first, second = ({name: question[side][name] for name in ("track", "part")} for side in ("first", "second"))
    answer = {"first": first, "second": second, "is_same": False, "purpose": "queue"}
    number = client.post("/api/decide", json=answer).json()["order"]
    assert client.get(f"/api/orders/{number}").json()["kind"] == "confirm"
    assert client.get("/api/decide").json()["num"] == 0
    assert tracks(client, 2) == ["west/0/2"]


def test_who_is_erased_is_in_no_answer_and_no_file_of_the_page(page: RunningPage, client: httpx.Client) -> None:
    jpeg = client.get("/api/picture", params=PART).content
    client.post("/api/alerts/comment", json={"key": "dwell/1/0.5", "text": "waits for a friend"})
    order(client, kind="split", person_ids=[1], parts=[{"track": "west/0/1", "part": 0}])
    proof = client.post("/api/people/1/erase", json={"reason": "asked for"}).json()
    assert proof["state"] == "done"
    assert proof["was_there"] == {"sightings": 2, "rows": 2, "pictures": 2, "alerts": 1}
    assert proof["is_left"] == {"sightings": 0, "pictures": 0, "people": 0, "rows": 0}
    assert "nothing of it is found any more" in proof["outcome"]
    assert client.get("/api/people/1").status_code == 404
    assert client.get("/api/picture", params=PART).status_code == 404
    assert client.get("/api/why", params=PART).status_code == 404
    files = b"".join(path.read_bytes() for path in page.settings.folder.iterdir())
    assert jpeg[-200:] not in files  # what comes first is the same in all of them
    assert b"waits for a friend" not in files


def test_pictures_of_somebody_who_was_erased_elsewhere_go_as_well(page: RunningPage, client: httpx.Client) -> None:
    page.state.follow()

    submit_command(page.state.ledger_path, CorrectionCommand(CommandKind.ERASE, (1,), "bob", 0.0))
    apply_pending(page.state.ledger_path)
    page.state.follow()
    assert page.state.pictures.get(EAST_PART) is None


def test_the_oldest_pictures_go_when_there_is_no_room(tmp_path: Path) -> None:
    with RunningPage(tmp_path, max_picture_bytes=3000) as page:
        page.add_pictures()
        page.state.pictures.put(Picture(EAST_PART, 0.0, 1.0, make_jpeg(9)))
        page.state.pictures.tidy()
        assert page.state.pictures.num_bytes() <= 3000


def test_pictures_are_deleted_when_they_were_kept_long_enough(tmp_path: Path) -> None:
    with RunningPage(tmp_path, keep_pictures_s=0.0) as page:
        page.add_pictures()
        page.state.pictures.tidy()
        assert page.state.pictures.num_pictures() == 0


def test_the_ledger_knows_who_ordered_what(page: RunningPage, client: httpx.Client) -> None:
    order(client, kind="confirm", person_ids=[3])
    with sqlite3.connect(page.state.ledger_path) as ledger:
        assert ("ann", "confirm") in ledger.execute("SELECT by, action FROM audit").fetchall()
