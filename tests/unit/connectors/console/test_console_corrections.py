"""Corrections by operators, over the output of a finished run."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from console_page import EAST_PART, PART, RunningPage, make_jpeg, write_ledger
from factories import make_path, make_sighting

from connectors.console.app_state import AppState
from connectors.console.camera.message import pack
from connectors.console.settings import Settings
from connectors.console.store.accounts import Accounts
from connectors.console.store.pictures import Picture
from pipeline.core import CommandKind, CorrectionCommand, TrackId, TrackPart
from pipeline.ledger import Ledger, submit_command
from pipeline.ledger.corrections import apply
from pipeline.ledger.corrections.apply import apply_pending
from pipeline.ledger.erasure import erase_stores


@pytest.fixture
def page(tmp_path: Path):
    with RunningPage(tmp_path / "run") as running:
        running.add_pictures()
        yield running


@pytest.fixture
def client(page: RunningPage):
    with page.client("ann") as logged_in:
        yield logged_in


def correct(client: httpx.Client, **wanted: object) -> dict:
    answer = client.post("/api/corrections", json=wanted)
    assert answer.status_code == 202, answer.text
    return answer.json()


def tracks(client: httpx.Client, person_id: int) -> list[str]:
    return sorted({each["track"] for each in client.get(f"/api/people/{person_id}").json()["sightings"]})


def test_a_merge_shows_in_every_answer_and_can_be_undone(client: httpx.Client) -> None:
    submitted = correct(client, kind="merge", person_ids=[1, 2], reason="same coat")
    assert (submitted["state"], submitted["by"]) == ("done", "ann")
    assert tracks(client, 1) == ["east/0/1", "west/0/1", "west/0/2"]
    assert client.get("/api/people/2").json()["person"] == 1
    assert {each["person"] for each in client.get("/api/alerts").json()["alerts"]} == {1}
    assert [each["person"] for each in client.get("/api/people").json()["people"]] == [4, 3, 1]
    assert client.get("/api/people/1").json()["corrections"][0]["reason"] == "same coat"

    undone = client.post(f"/api/corrections/{submitted['number']}/undo", json={}).json()
    assert (undone["kind"], undone["state"]) == ("undo", "done")
    assert tracks(client, 1) == ["east/0/1", "west/0/1"]
    assert tracks(client, 2) == ["west/0/2"]
    assert client.post(f"/api/corrections/{submitted['number']}/undo", json={}).status_code == 409


def test_undoing_a_merge_gives_the_name_of_the_watch_list_back_to_its_person(client: httpx.Client) -> None:
    correct(client, kind="name", person_ids=[1], name="Anna")
    before = client.get("/api/alerts").json()
    merge = correct(client, kind="merge", person_ids=[3, 1])
    assert client.get("/api/people/3").json()["name"] == "Anna"
    client.post(f"/api/corrections/{merge['number']}/undo", json={})
    assert client.get("/api/people/1").json()["name"] == "Anna"
    assert client.get("/api/people/3").json()["name"] == ""
    after = client.get("/api/alerts").json()
    assert {alert["state"] for alert in after["alerts"]} == {"raised", "amended"}, (
        "what the merge changed is amended back"
    )
    assert [{**alert, "state": ""} for alert in after["alerts"]] == [
        {**alert, "state": ""} for alert in before["alerts"]
    ]


def test_two_people_who_were_seen_at_once_are_merged_by_force_only(client: httpx.Client, page: RunningPage) -> None:
    ledger = Ledger(page.state.ledger_path)
    ledger.append([make_sighting(8, TrackId("east", 0, 8), path=make_path(0, 10))])
    ledger.close()
    asked = client.get("/api/corrections/together", params={"one": 1, "two": 8}).json()
    assert asked["text"] == "were seen at the same time: in east from 0.0 to 0.9"
    refused = correct(client, kind="merge", person_ids=[1, 8])
    assert (refused["state"], "were seen at the same time" in refused["outcome"]) == ("refused", True)
    assert correct(client, kind="merge", person_ids=[1, 8], force=True)["state"] == "done"


def test_a_split_makes_a_new_person_and_can_be_undone(client: httpx.Client) -> None:
    submitted = correct(client, kind="split", person_ids=[1], parts=[{"track": "west/0/1", "part": 0}])
    assert tracks(client, 1) == ["east/0/1"]
    assert tracks(client, 5) == ["west/0/1"]
    client.post(f"/api/corrections/{submitted['number']}/undo", json={})
    assert tracks(client, 1) == ["east/0/1", "west/0/1"]


def test_a_correction_that_cannot_be_applied_says_why(client: httpx.Client) -> None:
    submitted = correct(client, kind="split", person_ids=[1], parts=[{"track": "east/0/2", "part": 0}])
    assert submitted["state"] == "refused"
    assert "person 3" in submitted["outcome"]
    answer = client.post("/api/corrections", json={"kind": "merge", "person_ids": [1, 99]})
    assert answer.status_code == 404
    assert client.post("/api/corrections", json={"kind": "merge", "person_ids": [1, 1]}).status_code == 422


def test_naming_a_person_puts_them_on_the_watch_list(client: httpx.Client) -> None:
    correct(client, kind="name", person_ids=[3], name="<i>lost child</i>")
    assert client.get("/api/people/3").json()["name"] == "<i>lost child</i>"


def test_an_answer_is_applied_and_its_question_not_asked_again(page: RunningPage, client: httpx.Client) -> None:
    (question,) = client.get("/api/review").json()["questions"]
    first, second = ({name: question[side][name] for name in ("track", "part")} for side in ("first", "second"))
    answer = {"first": first, "second": second, "is_same": True, "purpose": "queue"}
    number = client.post("/api/review", json=answer).json()["correction"]
    assert client.get(f"/api/corrections/{number}").json()["kind"] == "merge"
    assert tracks(client, 1) == ["east/0/1", "west/0/1", "west/0/2"]
    found = client.get("/api/review").json()
    assert found["num"] == 0
    assert [(each["num"], each["num_same"]) for each in found["calibration"]][1:3] in (
        [(0, 0), (1, 1)],
        [(1, 1), (0, 0)],
    )


def test_the_answer_different_confirms_two_persons(client: httpx.Client) -> None:
    (question,) = client.get("/api/review").json()["questions"]
    first, second = ({name: question[side][name] for name in ("track", "part")} for side in ("first", "second"))
    answer = {"first": first, "second": second, "is_same": False, "purpose": "queue"}
    number = client.post("/api/review", json=answer).json()["correction"]
    assert client.get(f"/api/corrections/{number}").json()["kind"] == "confirm"
    assert client.get("/api/review").json()["num"] == 0
    assert tracks(client, 2) == ["west/0/2"]


def test_an_answer_that_is_undone_is_asked_again(page: RunningPage, client: httpx.Client) -> None:
    (question,) = client.get("/api/review").json()["questions"]
    first, second = ({name: question[side][name] for name in ("track", "part")} for side in ("first", "second"))
    answer = {"first": first, "second": second, "is_same": True, "purpose": "queue"}
    number = client.post("/api/review", json=answer).json()["correction"]
    client.post(f"/api/corrections/{number}/undo", json={})
    page.state.follow()
    assert client.get("/api/review").json()["questions"] == [question]
    assert page.state.notes.labels("queue") == []


def test_an_erased_person_is_in_no_answer_and_in_no_file_of_the_page(page: RunningPage, client: httpx.Client) -> None:
    jpeg = client.get("/api/picture", params=PART).content
    client.post("/api/alerts/comment", json={"key": "dwell/1/0.5", "text": "waits for a friend"})
    correct(client, kind="split", person_ids=[1], parts=[{"track": "west/0/1", "part": 0}])
    proof = client.post("/api/people/1/erase", json={"number": 1, "reason": "asked for"}).json()
    assert client.post("/api/people/1/erase", json={"number": 3}).status_code == 422
    assert proof["state"] == "done"
    assert proof["was_there"] == {"sightings": 2, "rows": 2, "pictures": 2, "alerts": 1, "video_s": 0.0}
    assert proof["is_left"] == {"sightings": 0, "pictures": 0, "people": 0, "rows": 0, "video_s": 0.0}
    assert "nothing of it is found any more" in proof["outcome"]
    assert client.get("/api/people/1").status_code == 404
    assert client.get("/api/picture", params=PART).status_code == 404
    assert client.get("/api/why", params=PART).status_code == 404
    files = b"".join(path.read_bytes() for path in page.settings.folder.iterdir())
    assert jpeg[-200:] not in files  # all JPEGs begin alike
    assert b"waits for a friend" not in files


def test_an_erasure_outside_the_page_deletes_its_pictures_too(page: RunningPage, client: httpx.Client) -> None:
    page.state.follow()

    submit_command(page.state.ledger_path, CorrectionCommand(CommandKind.ERASE, (1,), "bob", 0.0))
    apply_pending(page.state.ledger_path)
    page.state.follow()
    assert page.state.pictures.get(EAST_PART) is None


def test_the_page_leaves_the_pictures_to_an_erasure_that_goes_on_which_counts_them(
    page: RunningPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.state.follow()

    def follows_meanwhile(folder: Path, parts: Sequence[TrackPart]) -> tuple[dict[str, int], list[bytes]]:
        page.state.follow()  # the ledger has the erasure by now
        return erase_stores(folder, parts)

    monkeypatch.setattr(apply, "erase_stores", follows_meanwhile)
    number = submit_command(page.state.ledger_path, CorrectionCommand(CommandKind.ERASE, (1,), "bob", 0.0))
    submitted = page.state.ledger_view.command(number)
    assert submitted is not None
    assert "console/pictures.sqlite pictures: 3" in submitted.outcome
    assert page.state.pictures.get(EAST_PART) is None


def test_a_picture_that_arrives_before_its_erasure_is_read_is_deleted_whoever_reads_first(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    state = AppState(Settings(output_dir=tmp_path), Accounts(tmp_path / "accounts.sqlite"))
    state.follow()
    submit_command(state.ledger_path, CorrectionCommand(CommandKind.ERASE, (1,), "bob", 0.0))
    apply_pending(state.ledger_path)
    state.pictures.put(Picture(EAST_PART, 0.0, 1.0, make_jpeg()))
    state.ledger_view.uncertain()
    state.follow()
    assert state.pictures.get(EAST_PART) is None
    state.close()


def test_no_picture_of_an_erased_person_is_kept_when_the_recording_is_read_again(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.ERASE, (1,), "bob", 0.0))
    apply_pending(tmp_path / "ledger.sqlite")
    state = AppState(Settings(output_dir=tmp_path), Accounts(tmp_path / "accounts.sqlite"))
    header = {"kind": "picture", "track": str(EAST_PART.track_id), "part": 0, "captured_at": 0.0, "quality": 1.0}
    for part in (0, 77):
        message = pack({**header, "part": part, "heads": []}, make_jpeg())
        asyncio.run(state.live_view._take("east", message))
    assert state.live_view.num_bad == 0
    assert [part.part for part in state.pictures.parts()] == [77]
    state.close()


def test_the_oldest_pictures_are_deleted_above_the_size_limit(tmp_path: Path) -> None:
    with RunningPage(tmp_path, max_picture_bytes=3000) as page:
        page.add_pictures()
        page.state.pictures.put(Picture(EAST_PART, 0.0, 1.0, make_jpeg(9)))
        page.state.pictures.tidy()
        assert page.state.pictures.num_bytes() <= 3000


def test_pictures_are_deleted_after_the_retention_time(tmp_path: Path) -> None:
    with RunningPage(tmp_path, keep_pictures_s=0.0) as page:
        page.add_pictures()
        page.state.pictures.tidy()
        assert page.state.pictures.parts() == []


def test_the_audit_says_who_submitted_a_correction(page: RunningPage, client: httpx.Client) -> None:
    correct(client, kind="confirm", person_ids=[3])
    with sqlite3.connect(page.state.ledger_path) as ledger:
        assert ("ann", "confirm") in ledger.execute("SELECT by, action FROM audit").fetchall()
