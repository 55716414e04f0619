"""What a run has learned of its site, as proposals to accept: offsets of clocks, overlaps, transit times.

A proposal is made only if enough people show it, and only if it differs from what the site says. While the clock of a
camera seems wrong, the offset alone is proposed: with it, the times of the pair become others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, floor, inf, sqrt
from typing import Any

from pipeline.association.geometry.clock_offsets import MAX_OFFSET_S, MEDIAN_ERROR
from pipeline.association.geometry.topology import camera_pair
from pipeline.association.geometry.transit_times import MIN_SPREAD
from pipeline.core.records.clock_offset import AHEAD_S, CERTAIN, MATTERS_S, ClockOffset
from pipeline.core.records.pair_evidence import PairEvidence

MIN_PEOPLE = 60
"""People, or transits, from which a pair of cameras rules something out: if none of 60 did it, at most one in twenty
does, with 95 % confidence. More propose later, and exclude less that is possible."""
MIN_AT_ONCE = 10
"""People whom two cameras must have seen at once before an overlap is proposed. More propose later."""
FAST = 4.0
"""Standard deviations of the logarithm by which nobody is faster than the median. More rule out less."""
MIN_TRANSIT_S = 1.0
"""Seconds below which a shortest transit rules out nothing that is worth a line."""
DIFFERS = 0.25
"""Share by which seconds must differ from those that are stated. More propose less often."""
CONFIDENCE = 0.95
"""Of the bound on the share of people who do what nobody was seen to do."""
MORE_PEOPLE = 2.0
"""Times as many people that are new evidence for what was rejected. More ask less often again."""


class ProposalKind(StrEnum):
    """What is proposed; the value is part of keys."""

    OFFSET = "offset"
    OVERLAP = "overlap"
    NO_OVERLAP = "no_overlap"
    TRANSIT = "transit"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a run has learned, and the evidence.

    Attributes:
        kind: What it is about.
        cameras: One camera for an offset, else two, sorted.
        num_people: People, or transits, that show it.
        value: OFFSET: seconds to add to the camera's times. TRANSIT: an entry of ``site.transit_times``. Else None.
        now: What the site says of it now, likewise; None if nothing.
        error_s: Standard error of the offset, or of ``typical_s``, seconds; None for the others.
        num_at_once: People whom both cameras saw at once.
        at_most: Share of people who do what the proposal rules out, at most, with 95 % confidence; None: it rules out
            nothing.
        quantiles_s: TRANSIT: 5, 50 and 95 % of the transit times, seconds.
    """

    kind: ProposalKind
    cameras: tuple[str, ...]
    num_people: int
    value: Any = None
    now: Any = None
    error_s: float | None = None
    num_at_once: int = 0
    at_most: float | None = None
    quantiles_s: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """Names the proposal, whatever its value."""
        return " ".join((self.kind, *self.cameras))

    def is_new_since(self, num_people: int, value: Any) -> bool:
        """Return whether the evidence differs from when so many people showed such a value."""
        if self.num_people >= MORE_PEOPLE * num_people:
            return True
        if self.kind is ProposalKind.OFFSET:
            return bool(abs(self.value - value) > max(MATTERS_S, CERTAIN * (self.error_s or 0.0)))
        return self.kind is ProposalKind.TRANSIT and _differs(self.value, value)


def proposals(
    offsets: Iterable[ClockOffset],
    pairs: Iterable[PairEvidence],
    site: Mapping[str, Any],
    *,
    used_s: Mapping[str, float],
    stated_s: Mapping[str, float],
    live_ahead_s: Mapping[str, float],
) -> list[Proposal]:
    """Return what is worth accepting: offsets first, then by cameras.

    Args:
        offsets: As estimated.
        pairs: What pairs of cameras have seen.
        site: ``overlaps``, ``no_overlap`` and ``transit_times`` as they hold now, plain values.
        used_s: Seconds that the run adds to the times of its cameras.
        stated_s: Seconds that are to be added from the next start on, at the latest.
        live_ahead_s: Of live cameras: seconds by which their times, as used, are ahead of this machine's clock. An
            offset that moves them into the future is not proposed: it would be corrected away.
    """
    wrong = [offset for offset in offsets if offset.is_wrong]
    off = {offset.camera_id for offset in wrong}
    found = [each for offset in wrong if (each := _offset(offset, used_s, stated_s, live_ahead_s)) is not None]
    for pair in pairs:
        if not off & set(pair.camera_ids):
            found += [each for make in (_overlap, _transit) if (each := make(pair, site)) is not None]
    return found


def accepted(proposal: Proposal, site: Mapping[str, Any], offsets: Mapping[str, float]) -> dict[str, Any]:
    """Return the keys of ``site`` in a file of edits that a proposal changes, each as a whole.

    Args:
        proposal: What is accepted.
        site: As of ``proposals``.
        offsets: ``site.offset_s`` of the file.
    """
    pair = list(proposal.cameras)
    if proposal.kind is ProposalKind.OFFSET:
        return {"offset_s": {**offsets, proposal.cameras[0]: proposal.value}}
    if proposal.kind is ProposalKind.OVERLAP:
        kept = [each for each in site.get("no_overlap") or () if camera_pair(*each) != proposal.cameras]
        overlaps = site.get("overlaps")
        if overlaps is None or proposal.cameras in _pairs(overlaps):
            return {"no_overlap": kept}
        return {"no_overlap": kept, "overlaps": [*overlaps, pair]}
    if proposal.kind is ProposalKind.NO_OVERLAP:
        return {"no_overlap": [*(site.get("no_overlap") or ()), pair]}
    others = [each for each in site.get("transit_times") or () if camera_pair(*each["between"]) != proposal.cameras]
    return {"transit_times": [*others, proposal.value]}


def _offset(
    offset: ClockOffset, used_s: Mapping[str, float], stated_s: Mapping[str, float], live_ahead_s: Mapping[str, float]
) -> Proposal | None:
    name = offset.camera_id
    value = round(used_s.get(name, 0.0) - offset.ahead_s, 1) + 0.0
    now = stated_s.get(name, 0.0)
    is_future = live_ahead_s.get(name, -inf) - offset.ahead_s > AHEAD_S
    if is_future or abs(value) > MAX_OFFSET_S or abs(value - now) <= MATTERS_S:
        return None
    return Proposal(ProposalKind.OFFSET, (name,), offset.num_people, value, now, offset.error_s)


def _overlap(pair: PairEvidence, site: Mapping[str, Any]) -> Proposal | None:
    cameras, overlaps = pair.camera_ids, site.get("overlaps")
    may = cameras not in _pairs(site.get("no_overlap") or ()) and (overlaps is None or cameras in _pairs(overlaps))
    if not may and pair.num_at_once >= MIN_AT_ONCE:
        return Proposal(ProposalKind.OVERLAP, cameras, pair.num_people, num_at_once=pair.num_at_once)
    if may and not pair.num_at_once and pair.num_people >= MIN_PEOPLE:
        return Proposal(ProposalKind.NO_OVERLAP, cameras, pair.num_people, at_most=_at_most(pair.num_people))
    return None


def _transit(pair: PairEvidence, site: Mapping[str, Any]) -> Proposal | None:
    if pair.num_at_once or pair.num_transits < MIN_PEOPLE:
        return None
    stated = (each for each in site.get("transit_times") or () if camera_pair(*each["between"]) == pair.camera_ids)
    now = next(stated, None)
    middle_s, spread = pair.quantiles_s[1], max(pair.spread, MIN_SPREAD)
    min_s = floor(10 * min(pair.shortest_s, middle_s * exp(-FAST * spread))) / 10
    typical_s = round(middle_s, 1)
    max_s = inf if now is None or now["max_s"] < typical_s else now["max_s"]
    value = {"between": list(pair.camera_ids), "min_s": min_s, "max_s": max_s, "typical_s": typical_s}
    if min_s < MIN_TRANSIT_S or (now is not None and not _differs(value, now)):
        return None
    return Proposal(
        ProposalKind.TRANSIT,
        pair.camera_ids,
        pair.num_transits,
        value,
        now,
        round(MEDIAN_ERROR * middle_s * spread / sqrt(pair.num_transits), 2),
        at_most=_at_most(pair.num_transits),
        quantiles_s=pair.quantiles_s,
    )


def _differs(value: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two entries of transit times differ by more than ``DIFFERS``."""
    keys = ("min_s", "typical_s")
    return any(
        other.get(key) is None or abs(value[key] - other[key]) > DIFFERS * max(value[key], other[key]) for key in keys
    )


def _pairs(of: Iterable[Sequence[str]]) -> set[tuple[str, str]]:
    return {camera_pair(*pair) for pair in of}


def _at_most(num_people: int) -> float:
    """Return the share of people who do what none of so many did, at most; exact, of a binomial distribution."""
    return round(float(1 - (1 - CONFIDENCE) ** (1 / num_people)), 3)
