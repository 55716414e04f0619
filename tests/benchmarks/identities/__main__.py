"""The benchmark of identities: ``make benchmark ARGS='development'``, or ``test``, or ``real``, or several of them.

What the matcher is given (boxes, tracklets, embeddings) is computed once and kept in ``out``; after that, the matcher
alone is evaluated on every set. Three files beside this one list the sets: rules and constants are chosen on those of
``development.yaml``; those of ``test.yaml`` and ``real.yaml`` are looked at when all is decided. Worlds that are absent
are rendered first. Intervals are bootstrapped over sets.

    make benchmark ARGS='development'
    make benchmark ARGS='test real baselines=true'
    make benchmark ARGS='development ablation=true'   # takes long: twice as many evaluations as there are constants
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from recorded_sets import recorded_set
from replay import Row, baselines, overlapping, passerby, simulated
from rich.console import Console
from rich.table import Table

from pipeline.evaluation.decisions import Share

HERE = Path(__file__).parent
SAMPLES = 2000
"""Bootstrap samples. More: intervals that vary less."""
HEADINGS = ("IDF1", "HOTA", "AssA", "link prec.", "link rec.", "false match", "false new", "people")
CONSTANTS = (
    ("matcher", "TRACKER_LLR"),
    ("calibration.likelihood_ratio", "RELIABILITY_POWER"),
    ("calibration.likelihood_ratio", "PRIOR_WEIGHT"),
    ("chain", "MAX_SHARED_S"),
    ("constraints", "MAX_SPEED_M_S"),
    ("constraints", "MOTION_SLACK_M"),
    ("constraints", "TWO_PEOPLE_M"),
    ("constraints", "MIN_SHARED_S"),
    ("constraints", "MIN_SEPARATED_S"),
    ("cues", "MOTION_MAX_GAP_S"),
    ("cues", "MAX_MOTION"),
    ("cues", "MIN_MOTION"),
    ("cues", "MAX_CUE_LLR"),
    ("cues", "GROUND_MAX_GAP_S"),
    ("cues", "GROUND_M2"),
    ("cues", "NEWCOMERS"),
    ("cues", "MISJUDGED"),
    ("cues", "DRIFT_M_S"),
    ("geometry.topology", "TYPICAL_TRANSIT_S"),
    ("geometry.topology", "CHANCE_TRANSIT_S"),
    ("geometry.topology", "STATED_SPREAD"),
    ("geometry.topology", "MAX_LLR"),
    ("geometry.topology", "MIN_LLR"),
)
"""Module and name of the constants that an ablation changes."""
CAUSES = ("missed", "false", "loose", "merge", "split")


def main(words: Sequence[str]) -> None:
    """Evaluate, print the table, and write it as JSON."""
    options = {"out": "outputs/benchmark", "baselines": "false", "ablation": "false", "only": ""}
    options |= dict(word.split("=", 1) for word in words if "=" in word)
    sets = [word for word in words if "=" not in word] or ["development"]
    out = Path(options["out"])
    out.mkdir(parents=True, exist_ok=True)
    entries = {
        each: entry
        for name in sets
        for each, entry in yaml.safe_load((HERE / f"{name}.yaml").read_text()).items()
        if options["only"] in each
    }
    if options["ablation"] == "true":
        print_ablation(entries, out)
        return
    rows: list[Row] = []
    for each, entry in entries.items():
        rows += evaluate(each, entry, out, with_baselines=options["baselines"] == "true")
    print_table(rows)
    (out / f"{'-'.join(sets)}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))


def evaluate(name: str, entry: Mapping[str, Any], out: Path, *, with_baselines: bool) -> list[Row]:
    """Return the rows of one set; none where what it needs is absent."""
    began = time.perf_counter()
    if "simulated" in entry:
        rows = [simulated(name, **entry["simulated"])]
    elif "overlapping" in entry:
        rows = [overlapping(name, **entry["overlapping"])]
    else:
        of = recorded_set(name, entry, out)
        rows = [passerby(of)]
        if with_baselines:
            start = of.config.matcher.calibration
            rows += baselines(of, (start.same_mean + start.different_mean) / 2)
    print(f"{name}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
    return rows


def print_ablation(entries: Mapping[str, Any], out: Path) -> None:
    """Print what each constant of the matcher is worth: all sets with half of it, and with half as much again."""
    as_it_is: list[float] = []
    for name in (None, *CONSTANTS):
        for factor in (1.0,) if name is None else (0.5, 1.5):
            with changed(name, factor):
                found = [row for each, e in entries.items() for row in evaluate(each, e, out, with_baselines=False)]
            idf1 = [row.idf1 for row in found]
            as_it_is = as_it_is or idf1
            low, mean, high = interval([new - old for new, old in zip(idf1, as_it_is, strict=True)])
            share = sum(row.false_matches.count for row in found), sum(row.false_matches.total for row in found)
            label = "as it is" if name is None else f"{'.'.join(name)} x {factor}"
            print(f"{label:60} {np.mean(idf1):.4f}  {mean:+.4f} ({low:+.4f} to {high:+.4f})  false {share}", flush=True)


@contextmanager
def changed(name: tuple[str, str] | None, factor: float) -> Iterator[None]:
    """Multiply a constant, in every module that has imported it."""
    if name is None:
        yield
        return
    modules = [m for key, m in sys.modules.items() if key.startswith("pipeline.association") and hasattr(m, name[1])]
    value = getattr(sys.modules[f"pipeline.association.{name[0]}"], name[1])
    for module in modules:
        setattr(module, name[1], value * factor)
    try:
        yield
    finally:
        for module in modules:
            setattr(module, name[1], value)


def print_table(rows: Sequence[Row]) -> None:
    """Print the figures of each set and method, and their means with intervals."""
    table = Table("set", "method", *HEADINGS, *CAUSES, box=None, pad_edge=False)
    for row in rows:
        links = [_figure(value) for value in (row.idf1, row.hota, row.assa, row.link_precision, row.link_recall)]
        shares = [f"{share.count} of {share.total}" for share in (row.false_matches, row.false_news)]
        table.add_row(row.set, row.method, *links, *shares, row.people, *map(_figure, row.split[1:]))
    for method in dict.fromkeys(row.method for row in rows):
        of_method = [row for row in rows if row.method == method]
        low, mean, high = interval([row.idf1 for row in of_method])
        shares = [
            Share(sum(s.count for s in of_all), sum(s.total for s in of_all))
            for of_all in ([r.false_matches for r in of_method], [r.false_news for r in of_method])
        ]
        others = [
            _figure(_mean([getattr(row, name) for row in of_method]))
            for name in ("hota", "assa", "link_precision", "link_recall")
        ]
        causes = [_figure(_mean([row.split[i] for row in of_method if row.split])) for i in range(1, 6)]
        told = [f"{_figure(share.rate)}" for share in shares]
        table.add_row("mean", method, f"{mean:.3f} ({low:.3f}-{high:.3f})", *others, *told, "", *causes)
    Console(width=230).print(table)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower end, the mean and the upper end of a 95 % bootstrap interval."""
    numbers = np.array(values)
    samples = np.random.default_rng(0).choice(numbers, (SAMPLES, len(numbers))).mean(axis=1)
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(numbers.mean()), float(high)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])
