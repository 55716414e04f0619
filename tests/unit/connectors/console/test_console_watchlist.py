"""The watch-list page: pictures are judged, people are enrolled by them or by a sighting, and go when it is time."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from console_page import RunningPage, make_jpeg
from numpy.typing import NDArray

from connectors.console.search.networks import RunNetworks
from connectors.console.store.accounts import Role
from connectors.console.watchlist.listed import told_by
from pipeline.config.composition import load_config, to_yaml
from pipeline.core import TrackId, TrackPart
from pipeline.core.records.track import ENROLLED

DEMO = Path("connectors/synthetic/demo")
FRAME = 200
"""A picture of the demo's camera north in which people are seen well."""


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    words = ["site.cameras={east: /a.mp4, west: /b.mp4}", "detector=passerby", "runtime=inline", "threads=1"]
    return to_yaml(load_config([*words, "alerts=[watchlist]", "enrol={Eve: /a/folder}"]))


@pytest.fixture(scope="module")
def networks(config: str, tmp_path_factory: pytest.TempPathFactory) -> RunNetworks:
    """The networks of the run; building them takes seconds."""
    folder = tmp_path_factory.mktemp("networks")
    (folder / "config.yaml").write_text(config)
    return RunNetworks(folder)


@pytest.fixture
def page(tmp_path: Path, config: str, networks: RunNetworks) -> Iterator[RunningPage]:
    with RunningPage(tmp_path / "run") as running:
        (tmp_path / "run" / "config.yaml").write_text(config)
        running.state.networks = running.state.similarity._networks = networks
        yield running


@pytest.fixture
def client(page: RunningPage) -> Iterator[httpx.Client]:
    with page.client("ann") as logged_in:
        yield logged_in


@pytest.fixture(scope="module")
def whole_person() -> NDArray[np.uint8]:
    """A cut-out of one person of the demo with some ground around, enlarged as a telephone's picture is large."""
    video = cv2.VideoCapture(str(DEMO / "north.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, FRAME)
    picture = np.asarray(cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB), np.uint8)
    video.release()
    return picture


def judge(client: httpx.Client, picture: bytes) -> dict[str, Any]:
    answer = client.post("/api/watchlist/picture", content=picture, headers={"content-type": "image/jpeg"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def person_in(page: RunningPage, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    boxes = page.state.networks.people_in(picture)
    left, top, right, bottom = max(boxes, key=lambda box: box[3] - box[1])
    margin = (bottom - top) // 6
    height, width = picture.shape[:2]
    return picture[
        max(0, top - margin) : min(height, bottom + margin), max(0, left - margin) : min(width, right + margin)
    ]


def enrol(client: httpx.Client, **values: object) -> dict[str, Any]:
    answer = client.post("/api/watchlist", json={"name": "Anna", **values})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    return [each for each in client.get("/api/watchlist").json()["people"] if not each["is_fixed"]]


def test_pictures_are_judged_and_a_person_is_enrolled_by_the_good_ones(
    page: RunningPage, client: httpx.Client, whole_person: NDArray[np.uint8]
) -> None:
    crop = person_in(page, whole_person)
    good = judge(client, jpeg(crop))
    assert good["faults"] == [], good["faults"]
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(good["picture"]), np.uint8), cv2.IMREAD_COLOR)
    assert 64 <= shown.shape[0] < crop.shape[0], "cut to the person"
    blurred = judge(client, jpeg(np.asarray(cv2.GaussianBlur(crop, (0, 0), crop.shape[0] / 40), np.uint8)))
    assert "blurred" in blurred["faults"][0] or "no person" in blurred["faults"][0]
    nobody = judge(client, jpeg(np.full((200, 100, 3), 90, np.uint8)))
    assert nobody["faults"] == ["no person is found in it; show one whole person"]
    assert nobody["upload"] is None
    both = np.concatenate([crop, crop], axis=1)
    assert any("people are in it" in fault for fault in judge(client, jpeg(both))["faults"])
    until = time.time() + 86400
    submitted = enrol(
        client, pictures=[good["upload"]], reason="missing since noon", expires_at=until, severity="warning"
    )
    assert (submitted["state"], submitted["outcome"]) == ("done", "named: 5")
    (entry,) = listed(client)
    assert (entry["person"], entry["name"], entry["reason"], entry["by"]) == (5, "Anna", "missing since noon", "ann")
    assert (entry["severity"], entry["expires_at"], entry["pictures"]) == ("warning", pytest.approx(until), 1)
    assert entry["last_seen_at"] is None
    assert client.get("/api/watchlist/5/0").headers["content-type"] == "image/jpeg"
    assert client.get("/api/watchlist/5/1").status_code == 404
    done = [each.action for each in page.state.ledger_view.audit() if each.by == "ann"]
    assert done.count("watch-list") == 4
    assert [action for action in done if action.startswith("enrol")] == ["enrol", "enrol done"]
    assert client.post("/api/watchlist", json={"name": "Bo", "pictures": [good["upload"]]}).status_code == 410


def test_the_network_reads_pictures_as_at_the_start_of_a_run(
    page: RunningPage, whole_person: NDArray[np.uint8]
) -> None:
    crop = person_in(page, whole_person)
    embedding = page.state.networks.enrolment([crop, crop], TrackId(ENROLLED, 1, 7))
    assert embedding.track_id == TrackId(ENROLLED, 1, 7)
    assert len(embedding.path) == 2
    np.testing.assert_allclose(embedding.vector, page.state.networks.embed([crop])[0], atol=1e-5)


def test_a_person_is_listed_by_a_past_sighting_changed_and_taken_off_with_an_undo(client: httpx.Client) -> None:
    assert enrol(client, person=3, severity="info")["outcome"] == "named: 3"
    changed = client.put("/api/watchlist/3", json={"name": "Bo", "reason": "seen with a bag"}).json()
    assert changed["state"] == "done"
    (entry,) = listed(client)
    assert (entry["name"], entry["reason"], entry["severity"]) == ("Bo", "seen with a bag", "")
    assert entry["picture"] == {"track": "east/0/2", "part": 0}
    removed = client.post("/api/watchlist/3/remove", json={"reason": "found"}).json()
    assert listed(client) == []
    client.post(f"/api/corrections/{removed['number']}/undo", json={})
    assert [each["name"] for each in listed(client)] == ["Bo"]


def test_taking_somebody_off_deletes_the_pictures_and_says_so(
    page: RunningPage, client: httpx.Client, whole_person: NDArray[np.uint8]
) -> None:
    upload = judge(client, jpeg(person_in(page, whole_person)))["upload"]
    enrol(client, pictures=[upload])
    (part,) = page.state.ledger_view.kept_parts()
    assert page.state.enrolled.count(part) == 1
    assert client.post("/api/watchlist/5/remove", json={"reason": "found"}).json()["state"] == "done"
    assert page.state.enrolled.count(part) == 0
    assert client.get("/api/watchlist/5/0").status_code == 404
    assert page.state.ledger_view.audit()[-1].action == "unlist done"


def test_an_erasure_says_how_many_pictures_go_and_deletes_them(
    page: RunningPage, client: httpx.Client, whole_person: NDArray[np.uint8]
) -> None:
    upload = judge(client, jpeg(person_in(page, whole_person)))["upload"]
    enrol(client, pictures=[upload], person=3)
    (part,) = page.state.ledger_view.kept_parts()
    assert client.get("/api/people/3/erase").json()["enrolled"] == 1
    proof = client.post("/api/people/3/erase", json={"number": 3}).json()
    assert proof["outcome"].endswith("; nothing of it is found any more"), proof
    assert page.state.enrolled.count(part) == 0
    assert listed(client) == []


def test_who_was_never_seen_can_be_erased_too(
    page: RunningPage, client: httpx.Client, whole_person: NDArray[np.uint8]
) -> None:
    enrol(client, pictures=[judge(client, jpeg(person_in(page, whole_person)))["upload"]])
    assert client.post("/api/people/5/erase", json={"number": 5}).json()["state"] == "done"
    assert listed(client) == []
    assert b"Anna" not in (page.settings.output_dir / "ledger.sqlite").read_bytes()


def test_after_a_run_an_entry_ends_by_itself(
    page: RunningPage, client: httpx.Client, whole_person: NDArray[np.uint8]
) -> None:
    upload = judge(client, jpeg(person_in(page, whole_person)))["upload"]
    enrol(client, pictures=[upload], expires_at=time.time() + 1)
    (part,) = page.state.ledger_view.kept_parts()
    page.state.tidy()
    assert len(listed(client)) == 1
    time.sleep(1.1)
    page.state.tidy()
    assert listed(client) == []
    assert page.state.enrolled.count(part) == 0
    assert [each.by for each in page.state.ledger_view.audit()[-2:]] == ["expiry", "expiry"]


def test_pictures_of_a_refused_enrolment_go(page: RunningPage) -> None:
    part = TrackPart(TrackId(ENROLLED, 1, 1), 0)
    page.state.enrolled.put(part, [make_jpeg()])
    page.state.tidy()
    assert page.state.enrolled.count(part) == 0


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"name": "Bo"}, 422),
        ({"name": "", "person": 3}, 422),
        ({"name": "Bo", "person": 99}, 404),
        ({"name": "Bo", "person": 3, "expires_at": 1.0}, 422),
        ({"name": "Bo", "person": 3, "expires_at": 1e12}, 422),
        ({"name": "Bo", "person": 3, "severity": "loud"}, 422),
        ({"name": "  ", "person": 3}, 422),
        ({"name": "\u202eoB", "person": 3}, 422),
        ({"name": "Bo", "pictures": ["unknown"]}, 410),
    ],
)
def test_what_makes_no_entry_is_refused(client: httpx.Client, entry: dict[str, object], status: int) -> None:
    assert client.post("/api/watchlist", json=entry).status_code == status
    assert listed(client) == []


def test_users_of_some_cameras_and_viewers_see_and_do_less(page: RunningPage, client: httpx.Client) -> None:
    enrol(client, person=3)
    enrol(client, person=1, name="Carl")
    with page.client("eva", Role.OPERATOR, ("east",)) as eva:
        assert [each["name"] for each in listed(eva)] == ["Anna"]  # Carl was in west, too
        assert eva.get("/api/watchlist").json()["may_enrol"] is False
        assert eva.post("/api/watchlist/picture", content=make_jpeg()).status_code == 403
        assert eva.put("/api/watchlist/1", json={"name": "Bo"}).status_code == 404
        assert eva.post("/api/watchlist", json={"name": "Bo", "person": 1}).status_code == 404
        assert eva.post("/api/watchlist/3/remove", json={}).status_code == 202
    with page.client("vic", Role.VIEWER) as viewer:
        assert [each["name"] for each in listed(viewer)] == ["Carl"]
        assert viewer.post("/api/watchlist", json={"name": "Bo", "person": 3}).status_code == 403
        assert viewer.post("/api/watchlist/1/remove", json={}).status_code == 403


def test_the_list_names_who_is_enrolled_by_the_configuration_and_who_is_told(client: httpx.Client) -> None:
    found = client.get("/api/watchlist").json()
    assert [(each["name"], each["person"], each["by"]) for each in found["people"]] == [("Eve", 1, "configuration")]
    sinks = {
        "kafka": {},
        "jsonl": {},
        "apprise": {"min_severity": "critical"},
        "console": {},
        "mqtt": {"min_severity": "warning"},
    }
    assert told_by(sinks) == {
        "info": ["kafka"],
        "warning": ["kafka", "mqtt"],
        "critical": ["kafka", "apprise", "mqtt"],
    }
