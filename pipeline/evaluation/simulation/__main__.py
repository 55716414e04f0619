"""``python -m pipeline.evaluation.simulation``: cost, long runs and error rates of the match stage.

    python -m pipeline.evaluation.simulation people=1000,10000,100000,1000000 tracklets=1000 cameras=5000
    python -m pipeline.evaluation.simulation search people=5000,20000,100000
    python -m pipeline.evaluation.simulation soak tracklets=1000000 cap=2000
    python -m pipeline.evaluation.simulation rates seeds=20
    python -m pipeline.evaluation.simulation visitors seeds=20
    python -m pipeline.evaluation.simulation busy cameras=200 per_window=20 seconds=120

Each command prints a table and writes it, as JSON and with charts, to ``out``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import track as progress_bar
from rich.table import Table

from pipeline.core.command_line import run_command
from pipeline.core.errors import ConfigError
from pipeline.evaluation.decisions import Share
from pipeline.evaluation.simulation.busy import run_busy
from pipeline.evaluation.simulation.chart import to_svg
from pipeline.evaluation.simulation.cost import compare_searches, measure
from pipeline.evaluation.simulation.rates import run, summary
from pipeline.evaluation.simulation.soak import Lap, soak
from pipeline.evaluation.simulation.stage import MAX_FALSE_MATCH_RATE
from pipeline.evaluation.simulation.visitors import run_visitors

OPTIONS: dict[str, dict[str, str]] = {
    "scale": {"people": "1000,10000,100000", "tracklets": "1000", "cameras": "5000", "approximate_above": "50000"},
    "search": {"people": "5000,20000,100000", "queries": "200"},
    "soak": {"tracklets": "1000000", "cap": "2000", "cameras": "200", "laps": "50"},
    "rates": {"seeds": "20", "tracklets": "1500", "cameras": "8"},
    "visitors": {"seeds": "20", "tracklets": "200", "cameras": "8"},
    "busy": {"cameras": "200", "per_window": "20", "seconds": "120"},
}
EVERYWHERE = {"seed": "0", "out": "outputs/simulation"}


def main(arguments: list[str]) -> None:
    """Run the command of the arguments.

    Raises:
        ConfigError: If the command or an option is unknown or invalid.
    """
    command = arguments.pop(0) if arguments and "=" not in arguments[0] else "scale"
    options = _options(command, arguments)
    out = Path(options["out"])
    out.mkdir(parents=True, exist_ok=True)
    try:
        commands = {"scale": _scale, "search": _search, "soak": _soak, "rates": _rates}
        (commands | {"visitors": _visitors, "busy": _busy})[command](options, out)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _options(command: str, arguments: Sequence[str]) -> Mapping[str, str]:
    if command not in OPTIONS:
        raise ConfigError(f"{command}: expected one of {', '.join(OPTIONS)}; correct it")
    options = OPTIONS[command] | EVERYWHERE
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in options:
            raise ConfigError(f"{argument}: expected one of {', '.join(f'{name}=…' for name in options)}; correct it")
        options[key] = value
    return options


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _scale(options: Mapping[str, str], out: Path) -> None:
    costs = [
        measure(
            people,
            int(options["tracklets"]),
            seed=int(options["seed"]),
            num_cameras=int(options["cameras"]),
            approximate_above=float(options["approximate_above"]),
        )
        for people in _numbers(options["people"])
    ]
    _report("scale", [asdict(cost) for cost in costs], out)
    _draw(out / "scale_time.svg", [(c.people, c.tracklet_ms) for c in costs], "Time per tracklet", "people known", "ms")
    _draw(out / "scale_memory.svg", [(c.people, c.kb_each) for c in costs], "Memory per person", "people known", "kB")


def _search(options: Mapping[str, str], out: Path) -> None:
    queries, seed = int(options["queries"]), int(options["seed"])
    found = [compare_searches(people, queries, seed=seed) for people in _numbers(options["people"])]
    _report("search", [asdict(one) for one in found], out)


def _soak(options: Mapping[str, str], out: Path) -> None:
    total, laps = int(options["tracklets"]), []
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("tracklets", total=total, now="")
        for lap in soak(
            total,
            max_identities=int(options["cap"]),
            num_cameras=int(options["cameras"]),
            seed=int(options["seed"]),
            num_laps=int(options["laps"]),
        ):
            laps.append(lap)
            now = f"{lap.tracklet_ms:.2f} ms each, {lap.resident_mb:.0f} MB, {lap.num_identities} people"
            progress.update(task, completed=min(lap.num_tracklets, total), now=now)
            _draw_soak(laps, out)
            _write("soak", [asdict(one) for one in laps], out)
    _report("soak", [asdict(lap) for lap in laps], out)


def _rates(options: Mapping[str, str], out: Path) -> None:
    seeds = range(int(options["seed"]), int(options["seed"]) + int(options["seeds"]))
    runs = [
        run(seed, num_tracklets=int(options["tracklets"]), num_cameras=int(options["cameras"]))
        for seed in progress_bar(seeds, description="seeds", transient=True)
    ]
    rates = [one.comparisons.rate or 0.0 for one in runs]
    above = Share(sum(rate > MAX_FALSE_MATCH_RATE for rate in rates), len(rates))
    print(f"comparisons of different people above the acceptance threshold, specified: {MAX_FALSE_MATCH_RATE:g}")
    print(f"  by seed: {min(rates):.4f} to {max(rates):.4f}, mean {sum(rates) / len(rates):.4f}")
    print(f"  above the specified rate: {above.count} of {above.total} seeds, where 1 of 20 is allowed")
    rows = []
    for linking in summary(runs):
        row: dict[str, Any] = {"": linking.name, "IDF1": linking.idf1, "HOTA": linking.hota}
        for name, share in (("false matches", linking.false_matches), ("false new", linking.false_news)):
            low, high = share.interval
            row[name] = f"{share.rate or 0.0:.3f} ({low:.3f} to {high:.3f})"
        rows.append(row)
    _report("rates", rows, out)


def _visitors(options: Mapping[str, str], out: Path) -> None:
    seeds = range(int(options["seed"]), int(options["seed"]) + int(options["seeds"]))
    runs = [
        run_visitors(seed, num_tracklets=int(options["tracklets"]), num_cameras=int(options["cameras"]))
        for seed in progress_bar(seeds, description="seeds", transient=True)
    ]
    rows = [
        {"seed": str(seed), "true": one.true_people, **asdict(one.counted), "holds": "yes" if one.holds else "no"}
        for seed, one in zip(seeds, runs, strict=True)
    ]
    _report("visitors", rows, out)
    print(f"the interval holds the true number in {sum(one.holds for one in runs)} of {len(runs)} seeds")


def _busy(options: Mapping[str, str], out: Path) -> None:
    cameras, per_window, seconds = int(options["cameras"]), int(options["per_window"]), float(options["seconds"])
    found = run_busy(int(options["seed"]), num_cameras=cameras, per_window=per_window, seconds=seconds)
    _report("busy", [asdict(found)], out)


def _draw_soak(laps: Sequence[Lap], out: Path) -> None:
    times = [(lap.num_tracklets / 1000, lap.tracklet_ms) for lap in laps]
    memory = [(lap.num_tracklets / 1000, lap.resident_mb) for lap in laps]
    _draw(out / "soak_time.svg", times, "Time per tracklet", "thousand tracklets", "ms")
    _draw(out / "soak_memory.svg", memory, "Memory", "thousand tracklets", "MB")


def _draw(path: Path, points: Sequence[tuple[float, float]], title: str, x: str, y: str) -> None:
    path.write_text(to_svg(points, title=title, x=x, y=y), encoding="utf-8")


def _report(name: str, rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    table = Table(*(key.replace("_", " ") for key in rows[0]), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:,.4g}" for value in row.values()))
    Console(width=160).print(table)
    _write(name, rows, out)


def _write(name: str, rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    (out / f"{name}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
