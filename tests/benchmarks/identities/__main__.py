"""The benchmark of identities: ``make benchmark ARGS='development'``, or ``test``, or ``real``, or several of them.

What the matcher is given (boxes, tracklets, embeddings) is computed once and kept in ``out``; after that, the matcher
alone is evaluated on every set. Three files beside this one list the sets: rules and constants are chosen on those of
``development.yaml``; those of ``test.yaml`` and ``real.yaml`` are looked at when all is decided. Worlds that are absent
are rendered first. Intervals are bootstrapped over sets.

    make benchmark ARGS='development'
    make benchmark ARGS='test real baselines=true'
    make benchmark ARGS='development ablation=rules'       # all sets without each rule in turn
    make benchmark ARGS='development ablation=constants'   # and with half and one and a half of each constant
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ablation import print_ablation
from bootstrap import interval
from recorded_sets import recorded_set
from replay import Row, baselines, overlapping, passerby, simulated
from rich.console import Console
from rich.table import Table

from pipeline.evaluation.decisions import Share

HERE = Path(__file__).parent
HEADINGS = ("IDF1", "HOTA", "AssA", "link prec.", "link rec.", "false match", "false new", "people")
CAUSES = ("missed", "false", "loose", "merge", "split")


def main(words: Sequence[str]) -> None:
    """Evaluate, print the table, and write it as JSON."""
    options = {"out": "outputs/benchmark", "baselines": "false", "ablation": "", "only": ""}
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

    def evaluated() -> list[Row]:
        with_baselines = options["baselines"] == "true"
        return [
            row for name, entry in entries.items() for row in evaluate(name, entry, out, with_baselines=with_baselines)
        ]

    if options["ablation"]:
        print_ablation(options["ablation"], evaluated)
        return
    rows = evaluated()
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


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])
