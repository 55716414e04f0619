"""What is accepted of overlaps and transit times holds for what is decided from then on, and after a restart too."""

import asyncio
from math import inf
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from people import TRACKS, embeddings_of, make_match, see, windows
from walkers import make_actor, write_config

from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.core import edits_file
from pipeline.ledger import LedgerReader
from pipeline.runtime.match_actor import MatchActor

SLOW = {"transit_times": [{"between": ["east", "west"], "min_s": 5.0, "max_s": float("inf"), "typical_s": 12.0}]}
APART = {"no_overlap": [["east", "west"]]}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits_file, "EVERY_S", 0.0)


def edit(folder: Path, site: dict[str, object]) -> None:
    unfinished = folder / "edits.part"
    unfinished.write_text(yaml.safe_dump({"site": site}))
    unfinished.replace(folder / "edits.yaml")


async def cross(actor: MatchActor, number: int, gap_s: float) -> None:
    """A person of their own goes from east to west, so many seconds after leaving east."""
    at = 100.0 * number
    seen = {
        "east": [see("east", number, at, at + 2.0, person=number, is_last=True)],
        "west": [see("west", number, at + 2 + gap_s, at + 4 + gap_s, person=number, is_last=True)],
        "north": [],
    }
    for camera_id, embeddings in seen.items():
        await actor.deliver(camera_id, embeddings, at + 50.0, 0.0, None)


def people_of(folder: Path) -> list[int]:
    reader = LedgerReader(folder / "ledger.sqlite")
    found = [event.person_id for event in reader.events() if event.kind == "sighting"]
    reader.close()
    return found


@pytest.mark.parametrize(("site", "gap_s"), [(SLOW, 1.0), (APART, -1.5)], ids=["too fast", "two places at once"])
def test_a_decision_flips_where_it_should_and_flips_back_when_it_is_taken_back(
    tmp_path: Path, site: dict[str, object], gap_s: float
) -> None:
    write_config(tmp_path)

    async def whole() -> None:
        actor = make_actor(tmp_path)
        await cross(actor, 1, gap_s)
        edit(tmp_path, site)
        await cross(actor, 2, gap_s)
        edit(tmp_path, {})
        await cross(actor, 3, gap_s)
        for camera_id in ("east", "north", "west"):
            await actor.deliver(camera_id, [], inf, 0.0, None)
        await actor.finish(5.0)

    asyncio.run(whole())
    assert people_of(tmp_path) == [1, 1, 2, 3, 4, 4]


def test_a_killed_run_decides_as_one_that_was_not(tmp_path: Path) -> None:
    async def whole(folder: Path, killed_after: int) -> str:
        write_config(folder)
        actor = make_actor(folder)
        for number in range(1, 7):
            if number == 3:
                edit(folder, SLOW)
            await cross(actor, number, 1.0)
            if number == killed_after:
                actor._reader.close()
                actor._ledger.close()
                actor = make_actor(folder)
        for camera_id in ("east", "north", "west"):
            await actor.deliver(camera_id, [], inf, 0.0, None)
        return (await actor.finish(5.0)).digest

    digests = {asyncio.run(whole(tmp_path / str(killed), killed)) for killed in (0, 2, 3, 5)}
    assert len(digests) == 1


@given(
    tracks=st.lists(TRACKS, min_size=2, max_size=6),
    after=st.integers(0, 30),
    min_s=st.floats(0.0, 20.0),
    overlap=st.booleans(),
)
def test_what_was_decided_before_stays_as_it_was(tracks: list, after: int, min_s: float, overlap: bool) -> None:
    topology = Topology(
        {("east", "west"): TransitBounds(min_s, inf)},
        no_overlap=frozenset() if overlap else frozenset({("east", "west")}),
    )
    told = []
    for follows in (False, True):
        stage = make_match(recluster_every_s=1.0)
        records = []
        for index, window in enumerate(windows(embeddings_of(tracks))):
            if follows and index == after:
                stage.follow(topology)
            records.append(stage.process(window))
        told.append(records)
    assert [*map(repr, told[0][:after])] == [*map(repr, told[1][:after])]
