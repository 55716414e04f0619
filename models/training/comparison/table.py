"""The comparison as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.training.comparison.costs import Cost
from models.training.comparison.scores import Found, compare, mean_precision

_PUBLISHED = Path(__file__).with_name("published.yaml")
_RANKS = (1, 5, 20)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What is known of an embedder.

    Attributes:
        found: By data set.
        cost: None where it was not measured.
    """

    found: Mapping[str, Found]
    cost: Cost | None


def network_of(embedder: str) -> str:
    """Return the network that a choice of ``configs/embedder`` is of: ``lstrl`` of ``lstrl_light``."""
    return embedder.split("_")[0]


def baseline_among(rows: Mapping[str, Row]) -> str | None:
    """Return the embedder that the others are compared with, if it is there."""
    return next((name for name in rows if network_of(name) == "baseline"), None)


def write_table(rows: Mapping[str, Row], datasets: Sequence[str]) -> str:
    """Return one table a data set, one of what they cost, and what the papers say."""
    published: dict[str, dict[str, Any]] = yaml.safe_load(_PUBLISHED.read_text(encoding="utf-8"))
    parts = [_of_dataset(rows, dataset) for dataset in datasets]
    costs = {name: row.cost for name, row in rows.items() if row.cost is not None}
    if costs:
        parts.append(_of_costs(costs))
    quoted = {name: published[network] for name in rows if (network := network_of(name)) in published}
    if quoted:
        parts.append(_of_papers(quoted))
    return "\n".join(parts)


def _of_dataset(rows: Mapping[str, Row], dataset: str) -> str:
    baseline = baseline_among(rows)
    headings = [
        "",
        *(f"rank {rank}" for rank in _RANKS),
        "mAP (95 % interval)",
        "mAP over the baseline",
        "mAP, re-ranked",
    ]
    lines = []
    for name, row in rows.items():
        if dataset not in row.found:
            continue
        found = row.found[dataset]
        over = "" if baseline is None or name == baseline else _over(found, rows[baseline].found[dataset])
        ranks = [_percent(float(found.plain.cmc[rank - 1])) for rank in _RANKS]
        mean_ap, low, high = map(_percent, mean_precision(found))
        lines.append([f"`{name}`", *ranks, f"{mean_ap} ({low} to {high})", over, _percent(found.reranked.mean_ap)])
    queries = next(row.found[dataset].plain.num_queries for row in rows.values() if dataset in row.found)
    people = next(len(set(row.found[dataset].people.tolist())) for row in rows.values() if dataset in row.found)
    return f"**{dataset}**, {queries} queries of {people} people\n\n{_markdown(headings, lines)}"


def _over(found: Found, baseline: Found) -> str:
    """Return the difference, its interval, and in words whether it may be chance."""
    difference, low, high = (100 * value for value in compare(found, baseline))
    word = "better" if low > 0 else "worse" if high < 0 else "may be chance"
    return f"{difference:+.1f} ({low:+.1f} to {high:+.1f}): {word}"


def _of_costs(costs: Mapping[str, Cost]) -> str:
    headings = ["", "million parameters", "GMAC a crop", "ms a tracklet", "peak memory, MB"]
    lines = [
        [
            f"`{name}`",
            "–" if cost.parameters is None else f"{cost.parameters / 1e6:.2f}",
            "–" if cost.gmacs_per_frame is None else f"{cost.gmacs_per_frame:.3f}",
            f"{cost.ms_per_tracklet:.0f}",
            f"{cost.peak_mb:.0f}",
        ]
        for name, cost in costs.items()
    ]
    return f"**What they cost**\n\n{_markdown(headings, lines)}"


def _of_papers(quoted: Mapping[str, dict[str, Any]]) -> str:
    headings = ["", "rank 1", "mAP", "protocol", "from"]
    lines = [
        [
            f"`{network_of(name)}`",
            f"{figures['rank1']}",
            f"{figures['mean_ap']}",
            figures["protocol"],
            figures["source"],
        ]
        for name, figures in quoted.items()
    ]
    title = "**What the papers say**, on MARS, at full width, from published weights; not measured here"
    return f"{title}\n\n{_markdown(headings, lines)}"


def _percent(part: float) -> str:
    return f"{100 * part:.1f}"


def _markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *["--:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [headings, ruler, *lines]) + "\n"
