"""Counts of people of a run, live or ended, with all corrections applied.

``passerby counts outputs/RUN`` prints a table, ``--to counts.parquet`` (or .csv, .jsonl) writes a file, and
``--prometheus`` prints metrics. ``--score`` compares the counts with those of the site's ground truth. The run needs
the sink ``counts``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from connectors.counting.export import write_table
from connectors.counting.reader import CountReader
from pipeline.cli.scoring.true_counts import differences, true_rows
from pipeline.core.errors import ConfigError, ReidError
from pipeline.counts.rows import Row

DONE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code; print an error as one line."""
    parsed = make_parser().parse_args(arguments)
    try:
        if not 1 <= parsed.every < float("inf"):
            raise ConfigError(f"--every: expected at least 1 second, got {parsed.every:g}; correct it")
        if parsed.to is not None and not parsed.to.absolute().parent.is_dir():
            raise ConfigError(f"--to {parsed.to}: expected a folder to write into, got none; make it, or correct it")
        reader = CountReader(parsed.output_dir)
        try:
            if parsed.prometheus:
                print(reader.exposition(), end="")
                return DONE
            rows = reader.rows(every_s=parsed.every)
            if parsed.score:
                _score(rows, true_rows(parsed.output_dir, parsed.every))
                return DONE
        finally:
            reader.close()
        if parsed.to is None:
            _print(rows)
        else:
            write_table(rows, parsed.to)
    except BrokenPipeError:  # the reader has what it wanted
        raise
    except OSError as error:
        print(f"error: {parsed.to}: expected to write it, got {error.strerror}; check the folder", file=sys.stderr)
        return 1
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return DONE


def _print(rows: Sequence[Row]) -> None:
    table = Table("from", "to", "what", "place", "counts", box=None, pad_edge=False)
    known = ("schema", "event", "kind", "since", "until", "place")
    for row in rows:
        counts = ", ".join(f"{name} {value}" for name, value in row.items() if name not in known and value is not None)
        table.add_row(f"{row['since']:.0f}", f"{row['until']:.0f}", str(row["kind"]), str(row["place"]), counts)
    Console(width=160 if not sys.stdout.isatty() else None, highlight=False, markup=False).print(table)


def _score(rows: Sequence[Row], truth: Sequence[Row]) -> None:
    """Print how far each kind of count is from the truth."""
    print(f"{'count':<34}{'cells':>6}{'exact':>7}{'within 1':>9}{'most off':>9}")
    for name, off in differences(rows, truth).items():
        within = sum(each <= 1 for each in off)
        print(f"{name:<34}{len(off):>6}{sum(each == 0 for each in off):>7}{within:>9}{max(off):>9}")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby counts", description=__doc__)
    add = parser.add_argument
    add("output_dir", type=Path, metavar="DIR", help="output folder of a run")
    add("--every", type=float, default=60.0, metavar="S", help="length of an interval; default %(default)s")
    add("--to", type=Path, metavar="FILE", help="write to a .csv, .jsonl or .parquet file")
    add("--score", action="store_true", help="compare with the ground truth; needs the sink mot as well")
    add("--prometheus", action="store_true", help="print metrics in Prometheus' text format")
    return parser
