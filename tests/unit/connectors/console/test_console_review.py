"""Answers in the review queue reach the running pipeline and its calibration."""

import asyncio
from collections.abc import Sequence
from math import inf
from pathlib import Path

import httpx
import pytest
from console_page import RunningPage, make_jpeg
from people import make_match, see

from connectors.console.store.pictures import Picture
from pipeline.alerts.engine import AlertEngine
from pipeline.core import Embedding
from pipeline.runtime.match_actor import MatchActor
from pipeline.telemetry.match_status import MatchStatus

ANN, BEA = 0, 1
"""True identities."""
FARTHER_THAN_USUAL = 0.4
"""Cosine distance of two embeddings of one person; the calibration of these tests begins with 0.35."""


def make_actor(folder: Path) -> MatchActor:
    return MatchActor(
        camera_ids=("east",),
        make_match=lambda: make_match(recluster_every_s=5.0),
        make_alert=lambda: AlertEngine([], cooldown_s=0.0, max_open=100, max_parts=100),
        make_sinks={},
        ledger_path=folder / "ledger.sqlite",
        window_s=0.5,
        max_lateness_s=inf,
        flush_every_s=0.0,
        max_waiting_embeddings=100,
    )


async def answer_question(
    folder: Path, seen: Sequence[Embedding], *, is_same: bool
) -> tuple[MatchStatus, MatchStatus, str, int]:
    """Answer whether the first two tracks are the same; return status before and after, state, and number of people."""
    actor = make_actor(folder)
    await actor.deliver("east", seen, 100.0, 0.0)
    before = await actor.status()
    with RunningPage(folder, is_open=True) as page:
        for seed, (span, _) in enumerate(page.spans()):
            page.state.pictures.put(Picture(span.part, span.first_at, 10.0, make_jpeg(seed)))
        number = await asyncio.to_thread(send_answer, page.url, seen, is_same)
        await actor.deliver("east", [see("east", 9, 200.0, 201.0, person=5)], 300.0, 0.0)
        state = page.state.ledger_view.commands()[number - 1].state
        people = await asyncio.to_thread(lambda: httpx.get(f"{page.url}/api/people").json()["num"])
    after = await actor.status()
    await actor.deliver("east", [], inf, 0.0)
    await actor.finish(5.0)
    return before, after, state, people


def send_answer(url: str, seen: Sequence[Embedding], is_same: bool) -> int:
    first, second = ({"track": str(each.track_id), "part": each.part} for each in seen[:2])
    with httpx.Client(base_url=url) as client:
        client.headers["x-csrf-token"] = client.get("/api/me").json()["csrf"]
        answer = {"first": first, "second": second, "is_same": is_same, "purpose": "queue"}
        done = client.post("/api/review", json=answer)
        assert done.status_code == 200, done.text
        assert (
            client.get(f"/api/corrections/{done.json()['correction']}").json()["state"] == "pending"
        )  # the pipeline applies it
        return int(done.json()["correction"])


@pytest.mark.parametrize(
    ("persons", "is_same", "people", "learns"),
    [
        ((ANN, BEA), True, 2, "same"),
        ((ANN, BEA), False, 3, "different"),
        ((ANN, ANN), False, 3, "different"),
        ((ANN, ANN), True, 2, "same"),
    ],
    ids=["merges", "keeps apart", "rejects", "confirms"],
)
def test_an_answer_is_applied_by_the_pipeline_and_calibrates_it(
    tmp_path: Path, persons: tuple[int, int], is_same: bool, people: int, learns: str
) -> None:
    seen = [
        see("east", 1, 0.0, 1.0, person=persons[0]),
        see("east", 2, 20.0, 21.0, person=persons[1], distance=FARTHER_THAN_USUAL),
    ]
    before, after, state, now = asyncio.run(answer_question(tmp_path, seen, is_same=is_same))
    assert (state, now) == ("done", people)
    mean = {"same": 0, "different": 2}[learns]
    assert after.calibration_model[mean] != before.calibration_model[mean]
