"""What a run has learned is proposed only on enough evidence, and only as far as the site does not say it."""

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.geometry.pairs_of_cameras import pair_evidence
from pipeline.association.proposals import MIN_AT_ONCE, MIN_PEOPLE, Proposal, ProposalKind, accepted, proposals
from pipeline.core.records.clock_offset import ClockOffset
from pipeline.core.records.pair_evidence import PairEvidence

UNKNOWN: dict[str, Any] = {"overlaps": None, "no_overlap": [], "transit_times": []}
PAIR = ("east", "west")
WALKED = PairEvidence(PAIR, 90, 0, 90, 8.0, (9.0, 12.0, 16.0), 0.18)
WRONG = ClockOffset("west", 2.04, 0.1, 13)


def found(
    pairs: list[PairEvidence],
    site: dict[str, Any] = UNKNOWN,
    offsets: tuple[ClockOffset, ...] = (),
    used_s: dict[str, float] | None = None,
    stated_s: dict[str, float] | None = None,
    live_ahead_s: dict[str, float] | None = None,
) -> dict[str, Proposal]:
    used_s = used_s or {}
    made = proposals(offsets, pairs, site, used_s=used_s, stated_s=stated_s or used_s, live_ahead_s=live_ahead_s or {})
    return {each.key: each for each in made}


def test_few_people_propose_nothing() -> None:
    few = replace(WALKED, num_people=MIN_PEOPLE - 1, num_transits=MIN_PEOPLE - 1)
    assert found([few, PairEvidence(("a", "b"), 90, MIN_AT_ONCE - 1)], UNKNOWN | {"overlaps": []}) == {}


def test_a_pair_that_nobody_was_seen_by_at_once_and_its_transits_are_proposed_with_the_share_of_error() -> None:
    now = found([WALKED])
    assert set(now) == {"no_overlap east west", "transit east west"}
    assert now["no_overlap east west"].at_most == pytest.approx(1 - 0.05 ** (1 / 90), abs=0.001)
    transit = now["transit east west"]
    assert transit.value == {"between": ["east", "west"], "min_s": 5.8, "max_s": inf, "typical_s": 12.0}
    assert transit.error_s == pytest.approx(1.2533 * 12 * 0.18 / np.sqrt(90), abs=0.01)


def test_one_person_who_was_seen_by_both_at_once_is_enough_to_rule_nothing_out() -> None:
    assert found([replace(WALKED, num_at_once=1)]) == {}


def test_what_the_site_says_already_is_not_proposed() -> None:
    times = [{"between": ["west", "east"], "min_s": 6.0, "max_s": 60.0, "typical_s": 11.0}]
    said = {"overlaps": [], "no_overlap": [["west", "east"]], "transit_times": times}
    assert found([WALKED], said) == {}
    times[0]["typical_s"] = 30.0
    (transit,) = found([WALKED], said).values()
    assert transit.value["max_s"] == 60.0  # who took longer got another number, and is not among the transits


def test_an_overlap_that_the_site_denies_is_proposed() -> None:
    seen = PairEvidence(PAIR, 40, 30)
    (overlap,) = found([seen], UNKNOWN | {"overlaps": [["north", "east"]], "no_overlap": [["west", "east"]]}).values()
    assert (overlap.kind, overlap.num_at_once, overlap.num_people) == (ProposalKind.OVERLAP, 30, 40)
    changed = accepted(overlap, {"overlaps": [["north", "east"]], "no_overlap": [["west", "east"]]}, {})
    assert changed == {"no_overlap": [], "overlaps": [["north", "east"], ["east", "west"]]}
    assert found([seen], UNKNOWN) == {}


def test_the_offset_of_a_clock_is_added_to_that_which_the_run_uses_and_comes_before_the_times_of_its_pairs() -> None:
    (offset,) = found([WALKED], offsets=(WRONG,), used_s={"west": 1.5}).values()
    assert (offset.key, offset.value, offset.now, offset.error_s) == ("offset west", -0.5, 1.5, 0.1)
    assert accepted(offset, {}, {"east": 1.0}) == {"offset_s": {"east": 1.0, "west": -0.5}}


def test_an_offset_that_holds_from_the_next_start_is_not_proposed_again() -> None:
    assert found([], offsets=(WRONG,), used_s={"west": 0.0}, stated_s={"west": -2.0}) == {}


@pytest.mark.parametrize(("ahead_s", "num"), [(0.0, 0), (-2.0, 1)])
def test_a_live_camera_is_not_to_show_the_future(ahead_s: float, num: int) -> None:
    behind = ClockOffset("west", -2.0, 0.1, 13)
    assert len(found([], offsets=(behind,), live_ahead_s={"west": ahead_s})) == num
    assert len(found([], offsets=(behind,))) == 1  # of a recording


@pytest.mark.parametrize("offset", [ClockOffset("west", 2.0, 1.0, 9), ClockOffset("west", 11.0, 0.1, 9)])
def test_an_offset_that_may_be_chance_or_is_too_large_to_compensate_is_not_proposed(offset: ClockOffset) -> None:
    assert found([], offsets=(offset,)) == {}


@pytest.mark.parametrize(
    ("proposal", "later", "is_new"),
    [
        (found([WALKED])["no_overlap east west"], {"num_people": 179}, False),
        (found([WALKED])["no_overlap east west"], {"num_people": 180}, True),
        (found([], offsets=(WRONG,))["offset west"], {"value": -2.2}, False),
        (found([], offsets=(WRONG,))["offset west"], {"value": -3.0}, True),
        (
            found([WALKED])["transit east west"],
            {"value": {"between": [*PAIR], "min_s": 5.0, "max_s": inf, "typical_s": 12.5}},
            False,
        ),
        (
            found([WALKED])["transit east west"],
            {"value": {"between": [*PAIR], "min_s": 5.0, "max_s": inf, "typical_s": 20.0}},
            True,
        ),
    ],
)
def test_a_rejected_proposal_is_new_again_only_on_other_evidence(
    proposal: Proposal, later: dict[str, Any], is_new: bool
) -> None:
    assert replace(proposal, **later).is_new_since(proposal.num_people, proposal.value) is is_new


@given(
    times=st.lists(st.floats(0.2, 300.0), min_size=MIN_PEOPLE, max_size=120),
    stated=st.none() | st.tuples(st.floats(0.0, 50.0), st.floats(50.0, 500.0)),
    num_people=st.integers(0, 200),
)
def test_nothing_is_proposed_twice_and_no_transit_that_was_seen_is_ruled_out(
    times: list[float], stated: tuple[float, float] | None, num_people: int
) -> None:
    (pair,) = pair_evidence([], {PAIR: times})
    pair = replace(pair, num_people=num_people)
    site = dict(UNKNOWN)
    if stated is not None:
        site["transit_times"] = [{"between": [*PAIR], "min_s": stated[0], "max_s": stated[1]}]
    now = found([pair], site)
    for each in now.values():
        if each.kind is ProposalKind.TRANSIT:
            assert each.value["min_s"] <= min(times) + 0.005
            assert each.value["min_s"] <= each.value["typical_s"] <= each.value["max_s"]
        site |= accepted(each, site, {})
    assert found([pair], site) == {}
