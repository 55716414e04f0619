"""The floor plan: where people walked on the ground, for users who may see it, and without those who were erased."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from console_page import RunningPage
from factories import make_path, make_sighting

from connectors.console.store.accounts import Role
from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, TrackId
from pipeline.ledger import Ledger

EAST, WEST, YARD = TrackId("east", 0, 1), TrackId("west", 0, 1), TrackId("yard", 0, 1)
CONFIG = """\
site:
  cameras: {east: /a.mp4, west: /b.mp4, yard: /c.mp4}
  ground:
    east: [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]]
    west: [[0.1, 0, 20], [0, 0.1, 0], [0, 0, 1]]
"""


def box(x: float) -> tuple[float, float, float, float]:
    """Return a box whose feet are ``x`` pixels from the left, and 100 from the top."""
    return x - 10, 20, x + 10, 100


@pytest.fixture
def page(tmp_path: Path) -> Iterator[RunningPage]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append(
        [
            make_sighting(1, EAST, 0, make_path(0, 30, box=box(10))),
            make_sighting(1, EAST, 1, make_path(30, 30, box=box(40))),
            make_sighting(1, WEST, 0, make_path(100, 30, box=box(50)), is_last=True),
            make_sighting(2, YARD, 0, make_path(0, 30)),
            Correction(CorrectionKind.NAMED, (1,), "ann", 1.0, name="Anna"),
        ]
    )
    ledger.close()
    (tmp_path / "config.yaml").write_text(CONFIG)
    with RunningPage(tmp_path) as running:
        yield running


@pytest.fixture
def client(page: RunningPage) -> Iterator[httpx.Client]:
    with page.client("vic", Role.VIEWER) as logged_in:
        yield logged_in


def walks(client: httpx.Client, since: float = 0.0, until: float = 60.0) -> list[tuple[int, str, list[list[float]]]]:
    found = client.get("/api/floor/walks", params={"since": since, "until": until}).json()["walks"]
    return sorted((each["person"], each["track"], each["places"]) for each in found)


def test_it_says_whose_ground_is_known_and_when_somebody_walked_there(client: httpx.Client) -> None:
    found = client.get("/api/floor").json()
    assert (found["cameras"], found["without_ground"]) == (["east", "west"], ["yard"])
    assert found["extent"] == pytest.approx([0.0, 12.9])


def test_walks_have_places_in_metres_and_the_name_of_the_person(client: httpx.Client) -> None:
    assert walks(client) == [
        (1, "east/0/1", [[2.9, 1.0, 10.0], [5.9, 4.0, 10.0]]),
        (1, "west/0/1", [[12.9, 25.0, 10.0]]),
    ]
    answer = client.get("/api/floor/walks", params={"since": 0, "until": 60}).json()
    assert (answer["names"], answer["is_cut"]) == ({"1": "Anna"}, False)


def test_only_what_was_seen_in_the_span_is_listed(client: httpx.Client) -> None:
    assert walks(client, 7.0, 9.0) == []
    assert [track for _, track, _ in walks(client, 12.0, 13.0)] == ["west/0/1"]
    assert [places for _, _, places in walks(client, 4.0, 5.0)] == [[[5.9, 4.0, 10.0]]]


@pytest.mark.parametrize(("since", "until"), [(0, 0), (5, 1), (0, 3601)])
def test_a_span_that_is_none_or_too_long_is_refused(client: httpx.Client, since: float, until: float) -> None:
    assert client.get("/api/floor/walks", params={"since": since, "until": until}).status_code == 422


def test_a_user_of_one_camera_sees_the_walks_of_that_one(page: RunningPage) -> None:
    with page.client("eva", Role.VIEWER, ("west",)) as eva:
        assert eva.get("/api/floor").json()["cameras"] == ["west"]
        assert [track for _, track, _ in walks(eva)] == ["west/0/1"]


def test_who_is_erased_walked_nowhere_and_a_split_makes_two_walks(page: RunningPage, client: httpx.Client) -> None:
    part = page.spans()[0][0].part
    page.state.submit(CorrectionCommand(CommandKind.SPLIT, (1,), "ann", 1.0, (part,)))
    assert [person for person, track, _ in walks(client) if track == "east/0/1"] == [1, 3]
    page.state.submit(CorrectionCommand(CommandKind.ERASE, (1,), "ann", 1.0))
    page.state.follow()
    assert [person for person, _, _ in walks(client)] == [3]


def test_looking_is_in_the_audit(page: RunningPage, client: httpx.Client) -> None:
    walks(client)
    assert page.state.ledger_view.audit()[-1].subject == "the floor plan of cameras east, west"
