"""Alert rules that are edited while a run goes on: they hold at once, and after a restart too."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from pathlib import Path

import pytest
from people import make_match, see

from connectors.sinks.memory import MemorySink
from pipeline.alerts.engine import AlertEngine
from pipeline.config.rule_edits import engine_of, parse_edits, to_text
from pipeline.core import Alert, edits_file
from pipeline.ledger import LedgerReader
from pipeline.runtime.match_actor import MatchActor

EVERYWHERE = {"camera": "east", "relative": True, "polygon": [[-9, -9], [9, -9], [9, 9], [-9, 9]]}
RUN = {
    "site": {"cameras": {"east": "/a.mp4"}, "zones": {}, "lines": {}, "ground": {}, "max_dwell_s": 1.0},
    "alerts": {"zone_dwell": {}},
    "alerting": {"cooldown_s": 0.0, "max_open": 100, "max_parts": 100, "exempt": []},
    "buffer": {"first_after_s": 1.0, "part_s": 0.5},
    "tracker": {"lost_s": 1.0},
}


def make_alert(edits: str = "") -> AlertEngine:
    return engine_of(RUN, parse_edits(edits, "edits") or {"alerts": {"zone_dwell": {}}}, "edits")


def edit(folder: Path, zones: dict[str, object], **alerts: object) -> None:
    unfinished = folder / "edits.part"
    unfinished.write_text(to_text({"site": {"zones": zones}, "alerts": {"zone_dwell": alerts}}))
    unfinished.replace(folder / "edits.yaml")


def make_actor(folder: Path, sink: MemorySink) -> MatchActor:
    return MatchActor(
        camera_ids=["east"],
        make_match=make_match,
        make_alert=make_alert,
        make_sinks={"memory": lambda: sink},
        ledger_path=folder / "ledger.sqlite",
        window_s=0.5,
        max_lateness_s=inf,
        flush_every_s=1e9,
        max_waiting_embeddings=100,
    )


async def walk(actor: MatchActor, part: int) -> None:
    """One person stays for three seconds more."""
    began = 3.0 * part
    await actor.deliver("east", [see("east", 1, began, began + 2.9, part=part)], began + 3.0, 0.0, None)


def run(folder: Path, story: Callable[[MatchActor], Awaitable[None]], sink: MemorySink) -> MatchActor:
    async def whole() -> MatchActor:
        actor = make_actor(folder, sink)
        await story(actor)
        return actor

    return asyncio.run(whole())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits_file, "EVERY_S", 0.0)


def alerts_of(sink: MemorySink) -> list[tuple[str, bool]]:
    return [(each.place, each.ended_at is not None) for each in sink.records if isinstance(each, Alert)]


def test_a_zone_that_is_drawn_meanwhile_has_its_alert_and_one_that_is_removed_ends_it(tmp_path: Path) -> None:
    sink = MemorySink()

    async def story(actor: MatchActor) -> None:
        await walk(actor, 0)
        assert alerts_of(sink) == []
        edit(tmp_path, {"door": EVERYWHERE})
        await walk(actor, 1)
        assert alerts_of(sink) == [("door", False)]
        edit(tmp_path, {})
        await walk(actor, 2)
        assert alerts_of(sink) == [("door", False), ("door", True)]

    run(tmp_path, story, sink)


def test_edits_that_name_a_camera_before_it_is_added_hold_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = MemorySink()

    async def story(actor: MatchActor) -> None:
        edit(tmp_path, {"gate": {**EVERYWHERE, "camera": "north"}, "door": EVERYWHERE})
        await walk(actor, 0)
        assert alerts_of(sink) == []
        monkeypatch.setitem(RUN["site"], "later", ["north"])
        await actor.join("north", None)
        await actor.deliver("north", [], 3.0, 0.0, None)
        await walk(actor, 1)
        await actor.deliver("north", [], 6.0, 0.0, None)
        assert alerts_of(sink) == [("door", False)]

    run(tmp_path, story, sink)


def test_a_person_in_a_zone_is_known_when_another_zone_is_drawn(tmp_path: Path) -> None:
    sink = MemorySink()

    async def story(actor: MatchActor) -> None:
        edit(tmp_path, {"door": {**EVERYWHERE, "max_dwell_s": 7.0}})
        await walk(actor, 0)
        await walk(actor, 1)
        edit(tmp_path, {"door": {**EVERYWHERE, "max_dwell_s": 7.0}, "window": {**EVERYWHERE, "max_dwell_s": 1000.0}})
        await walk(actor, 2)
        assert alerts_of(sink) == [("door", False)]

    run(tmp_path, story, sink)


def test_a_killed_run_comes_back_with_its_edited_rules(tmp_path: Path) -> None:
    sink = MemorySink()

    async def story(actor: MatchActor) -> None:
        await walk(actor, 0)
        edit(tmp_path, {"door": EVERYWHERE})
        await walk(actor, 1)
        actor._ledger.close()

    run(tmp_path, story, sink)
    (tmp_path / "edits.yaml").unlink()  # the ledger knows them

    async def later(actor: MatchActor) -> None:
        await walk(actor, 1)
        await walk(actor, 2)
        await actor.deliver("east", [], inf, 0.0, None)
        await actor.finish(5.0)

    again = MemorySink()
    assert "door" in run(tmp_path, later, again)._reducer.edits
    assert alerts_of(again)[-1] == ("door", True)

    async def nothing(_: MatchActor) -> None: ...

    assert "door" in run(tmp_path, nothing, MemorySink())._reducer.edits  # from the snapshot


def test_a_file_that_cannot_be_used_changes_nothing_and_is_in_the_audit(tmp_path: Path) -> None:
    sink = MemorySink()

    async def story(actor: MatchActor) -> None:
        edit(tmp_path, {"door": EVERYWHERE})
        await walk(actor, 0)
        edit(tmp_path, {"door": EVERYWHERE}, severity="shouting")
        await walk(actor, 1)
        (tmp_path / "edits.yaml").write_bytes(b"\xff")
        await walk(actor, 2)

    run(tmp_path, story, sink)
    assert alerts_of(sink) == [("door", False)]
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    told = [(entry.action, entry.subject) for entry in reader.audit()]
    reader.close()
    assert [action for action, _ in told] == ["rules applied", "rules refused"]
    assert "severity" in told[1][1]
