"""What each rule and each constant of the matcher is worth: all sets without the rule, or with another value."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from typing import Any

import numpy as np
from bootstrap import interval
from replay import Row

PACKAGE = "pipeline.association"
Change = tuple[str, Callable[[Any], Any]]
"""A name in ``PACKAGE``, ``module:name`` or ``module:class.name``, and what is there instead, given what is there."""


def _always(value: object) -> Callable[[Any], Any]:
    """Return a change to a function that returns a value whatever it is given."""
    return lambda _: lambda *_args, **_options: value


def _constant(value: object) -> Callable[[Any], Any]:
    return lambda _: value


RULES: Mapping[str, Sequence[Change]] = {
    "re-clustering": [
        ("reclustering:Reclustering.recluster", _always([])),
        ("reclustering:Reclustering.recluster_touched", _always([])),
    ],
    "many segments: those who changed (else all at once)": [("reclustering:MAX_AT_ONCE", lambda _: 10**9)],
    "few segments: all at once (else those who changed)": [("reclustering:MAX_AT_ONCE", lambda _: 0)],
    "among few people less is needed": [
        (
            "calibration.likelihood_ratio:Calibration.needed_among",
            lambda _: lambda calibration, rate, *_: calibration.threshold(rate),
        )
    ],
    "distances of two people are learned": [
        ("calibration.likelihood_ratio:Calibration.learn_different", _always(None))
    ],
    "distances within tracks are learned": [("calibration.likelihood_ratio:Calibration.learn_same", _always(None))],
    "poor pictures count for less": [("calibration.likelihood_ratio:RELIABILITY_POWER", _constant(0.0))],
    "how cameras colour embeddings is learned": [("adaptation.adaptation:Adaptation.renew", _always(False))],
    "a track is cut where its appearance changes": [("matcher:TRACKER_LLR", _constant(inf))],
    "people lately in this camera are candidates": [
        ("identity_store:IdentityStore.recently_in", lambda _: lambda *_: set())
    ],
    "place and velocity in the picture": [("cues:_image_motion_llr", _always(0.0))],
    "place and velocity on the ground": [("cues:_ground_motion_llr", _always(0.0))],
    "places on the ground at the same time": [("cues:co_location_llr", _always(0.0))],
    "transit times": [("geometry.topology:Topology.transit_llr", _always(0.0))],
    "transit times are learned": [("geometry.transit_times:TransitTimes.learn", _always(None))],
    "a segment goes on from the last one of its camera": [("chain:OWN_CAMERA_S", _constant(-inf))],
    "who is in sight elsewhere is not absent": [
        (
            "chain:last_sighting",
            lambda there: lambda *of: None if (found := there(*of)) is None else (found[0], False),
        ),
        (
            "group_cues:GroupCues._motion",
            lambda there: lambda cues, ranks, later, seen: there(cues, ranks, later, np.zeros_like(seen)),
        ),
    ],
    "two boxes at two places are two people": [("geometry.sampled_boxes:separated_s", _always(0.0))],
    "two places on the ground are two people": [("constraints:TWO_PEOPLE_M", _constant(inf))],
    "nobody is faster than a jog": [("geometry.ground_plane:can_move", _always(True))],
}
"""By rule: what its absence is."""
CONSTANTS = (
    "matcher:TRACKER_LLR",
    "calibration.likelihood_ratio:RELIABILITY_POWER",
    "calibration.likelihood_ratio:PRIOR_WEIGHT",
    "chain:MAX_SHARED_S",
    "chain:OWN_CAMERA_S",
    "constraints:MAX_SPEED_M_S",
    "constraints:MOTION_SLACK_M",
    "constraints:TWO_PEOPLE_M",
    "constraints:MIN_SHARED_S",
    "constraints:MIN_SEPARATED_S",
    "cues:MOTION_MAX_GAP_S",
    "cues:MAX_MOTION",
    "cues:MIN_MOTION",
    "cues:MAX_CUE_LLR",
    "cues:GROUND_MAX_GAP_S",
    "cues:GROUND_M2",
    "cues:NEWCOMERS",
    "cues:MISJUDGED",
    "cues:DRIFT_M_S",
    "geometry.topology:TYPICAL_TRANSIT_S",
    "geometry.topology:CHANCE_TRANSIT_S",
    "geometry.topology:STATED_SPREAD",
    "geometry.topology:MAX_LLR",
    "geometry.topology:MIN_LLR",
)
"""Names of the constants of which half, and half as much again, is tried."""
ABLATIONS: Mapping[str, Mapping[str, Sequence[Change]]] = {
    "rules": {f"without: {rule}": changes for rule, changes in RULES.items()},
    "constants": {
        f"{name} x {factor}": [(name, lambda value, factor=factor: value * factor)]  # type: ignore[misc]
        for name in CONSTANTS
        for factor in (0.5, 1.5)
    },
}
"""What ``ablation=`` may be: by label, the changes that are made together."""


def print_ablation(which: str, evaluate: Callable[[], list[Row]]) -> None:
    """Print for each change the mean IDF1 of all sets, how it differs, with an interval, and how many sets it moves.

    Args:
        which: Of ``ABLATIONS``.
        evaluate: Returns the rows of all sets.
    """
    if which not in ABLATIONS:
        raise SystemExit(f"ablation: expected {' or '.join(ABLATIONS)}, got {which}; correct it")
    as_it_is = _print_row("as it is", evaluate(), None)
    for label, changes in ABLATIONS[which].items():
        with ExitStack() as stack:
            for name, change in changes:
                stack.enter_context(changed(name, change))
            rows = evaluate()
        _print_row(label, rows, as_it_is)


def _print_row(label: str, rows: Sequence[Row], as_it_is: Sequence[float] | None) -> list[float]:
    """Print one row, and return the IDF1 of its sets."""
    idf1 = [row.idf1 for row in rows]
    off = [new - old for new, old in zip(idf1, as_it_is or idf1, strict=True)]
    low, mean, high = interval(off)
    false, links = (sum(getattr(row.false_matches, part) for row in rows) for part in ("count", "total"))
    print(
        f"{label:70} {np.mean(idf1):.4f}  {mean:+.4f} ({low:+.4f} to {high:+.4f})"
        f"  {sum(each != 0 for each in off):2} of {len(off)} sets  false matches {false} of {links}",
        flush=True,
    )
    return idf1


@contextmanager
def changed(name: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """Change what a name stands for, in every module of ``PACKAGE`` that has imported it.

    Args:
        name: As in ``Change``.
        change: From what is there to what is there meanwhile.
    """
    module, attribute = name.split(":")
    *classes, attribute = attribute.split(".")
    holders: list[Any] = [sys.modules[f"{PACKAGE}.{module}"]]
    if classes:
        holders = [getattr(holders[0], classes[0])]
    value = getattr(holders[0], attribute)
    if not classes:
        loaded = [each for key, each in sys.modules.items() if key.startswith(PACKAGE)]
        holders = [each for each in loaded if getattr(each, attribute, None) is value]
    for holder in holders:
        setattr(holder, attribute, change(value))
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, attribute, value)
