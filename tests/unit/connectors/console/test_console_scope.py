"""A user of one camera: no route tells anything of the other cameras."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_page import PASSWORD, RunningPage, make_jpeg, write_ledger
from factories import make_path, make_sighting

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.console.store.accounts import Role
from pipeline.core import Alert, CommandKind, CorrectionCommand, Severity, TrackId, TrackPart
from pipeline.ledger import Ledger

EAST, WEST = TrackId("east", 0, 7), TrackId("west", 0, 7)
SECRETS = ("east", "Anna", "secret reason", "secret remark", "4711")
"""What only those who see the camera east may read: names, reasons, comments, and a number of the whole site."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    folder: Path = tmp_path_factory.mktemp("run")
    write_ledger(folder)
    ledger = Ledger(folder / "ledger.sqlite")
    again = "Person 7 was seen again."
    ledger.append(
        [
            make_sighting(7, EAST, path=make_path(500, 10)),
            make_sighting(7, WEST, path=make_path(600, 10)),
            Alert("again/7/60", "reappearance", Severity.INFO, 7, "west", 50.0, 61.0, again, (EAST, WEST)),
        ]
    )
    ledger.close()
    for name in ("status.json", "summary.json"):
        site = {"num_identities": 4711, "clock_offsets": [["east", "west", 0.1]], "sinks": {"jsonl": 4711}}
        cameras = {name: {"people_now": 1} for name in ("east", "west")}
        (folder / name).write_text(json.dumps({"at": 1.0, "cameras": cameras, **site}))
    store = AlertPictureStore(folder / FILE)
    store.put(AlertPicture(TrackPart(EAST, 0), 60.9, make_jpeg(1), make_jpeg(1)))
    store.close()
    with RunningPage(folder) as running:
        running.add_pictures()
        for command in (
            CorrectionCommand(CommandKind.NAME, (3,), "ann", 1.0, name="Anna", reason="secret reason"),
            CorrectionCommand(CommandKind.CONFIRM, (3,), "ann", 2.0, reason="secret reason"),
        ):
            running.state.submit(command)
        running.state.notes.comment("dwell/1/0.5", "ann", "secret remark")
        yield running


@pytest.fixture(scope="module")
def client(page: RunningPage) -> Iterator[httpx.Client]:
    with page.client("mia", Role.OPERATOR, ("west",)) as client:
        yield client


def requests(client: httpx.Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation that reads, for some people, corrections, alerts and tracks that it can be asked about."""
    about: list[dict[str, Any]] = [
        *({"person_id": number, "one": 1, "two": number, "number": number} for number in (1, 2, 3, 7)),
        *({"key": key} for key in ("dwell/1/0.5", "again/7/60")),
        *({"track": track, "part": 0} for track in ("east/0/7", "west/0/1", "west/0/2", "west/0/7")),
    ]
    for path, operations in client.get("/api/openapi.json").json()["paths"].items():
        if "get" not in operations or path.endswith((".json", ".zip")):
            continue
        names = {each["name"] for each in operations["get"].get("parameters", ())}
        for values in [{}, *about]:
            known = {name: value for name, value in values.items() if name in names}
            if (known or not values) and all(
                name in known for name in ("person_id", "number") if f"{{{name}}}" in path
            ):
                yield path.format(**known), known


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMINISTRATOR])
def test_no_answer_tells_anything_of_other_cameras(page: RunningPage, role: Role) -> None:
    with page.client(f"one {role}".replace(" ", "."), role, ("west",)) as client:
        check_every_answer(client)


def check_every_answer(client: httpx.Client) -> None:
    num_answers = 0
    for path, values in requests(client):
        answer = client.get(path, params=values)
        asked = str(values)
        if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
            num_answers += 1
            for secret in SECRETS:
                assert secret in asked or secret not in answer.text, (path, values, secret, answer.text[:2000])
    assert num_answers > 20


def test_a_person_has_the_times_and_number_of_the_cameras_that_are_seen(client: httpx.Client) -> None:
    (listed,) = (each for each in client.get("/api/people").json()["people"] if each["person"] == 7)
    shown = client.get("/api/people/7").json()
    for person in (listed, shown):
        assert person["num_sightings"] == 1
        assert person["first_seen_at"] == pytest.approx(shown["sightings"][0]["first_at"])
        assert person["cameras"] == ["west"]


def test_an_alert_shows_its_own_camera_and_no_picture_of_another(page: RunningPage, client: httpx.Client) -> None:
    (alert,) = client.get("/api/alerts", params={"key": "again/7/60"}).json()["alerts"]
    assert (alert["track"], alert["picture"]) == ("west/0/7", {"track": "west/0/7", "part": 0})
    assert client.get("/api/alerts/scene", params={"key": "again/7/60"}).status_code == 404
    with page.client("all", Role.OPERATOR) as everything:
        assert everything.get("/api/alerts/scene", params={"key": "again/7/60"}).status_code == 200


def test_the_figures_of_privacy_are_of_the_cameras_that_are_seen(page: RunningPage, client: httpx.Client) -> None:
    with page.client("all", Role.OPERATOR) as everything:
        whole, part = (each.get("/api/privacy").json() for each in (everything, client))
    spans = [span.part.track_id.camera_id for span, _ in page.spans()]
    assert (whole["num_pictures"], part["num_pictures"]) == (len(spans), spans.count("west"))
    assert 0 < part["num_bytes"] < whole["num_bytes"]


def test_an_administrator_of_one_camera_gives_nobody_others(page: RunningPage) -> None:
    page.accounts.put("boss", PASSWORD, Role.ADMINISTRATOR, None)
    with page.client("wim", Role.ADMINISTRATOR, ("west",)) as client:
        new = {"password": PASSWORD, "role": "administrator"}
        refused = [
            client.put("/api/users/wim", json=new),
            client.put("/api/users/else", json={**new, "cameras": ["west", "east"]}),
            client.put("/api/users/boss", json={**new, "cameras": ["west"]}),
            client.delete("/api/users/boss"),
            client.post("/api/tokens", json={"name": "boss", "label": "mine", "role": "administrator"}),
            client.get("/api/audit"),
        ]
        assert [answer.status_code for answer in refused] == [403] * len(refused)
        assert client.put("/api/users/else", json={**new, "cameras": ["west"]}).status_code == 200
        assert "boss" not in [each["name"] for each in client.get("/api/users").json()]
        token = page.accounts.make_token("boss", "theirs", Role.VIEWER, 0.0, expires_at=4e9)
        assert client.get("/api/tokens").json() == []
        assert client.delete("/api/tokens/1").status_code == 404
        assert page.accounts.user_of_token(token) is not None
