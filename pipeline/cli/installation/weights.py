"""``passerby weights list`` and ``passerby weights fetch NAME``: checkpoints by name, with licence and checksum.

A checkpoint is looked for in ``--weights-dir``, then among those that ship with Passerby, then in the cache
(``$PASSERBY_CACHE``, else ``~/.cache/passerby``). ``fetch`` downloads what has an address into the cache and checks its
sha256.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from models.weights.store import CATALOGUE, find_weights, locate_weights
from pipeline.cli.printing import print_table
from pipeline.core.errors import ConfigError, ReidError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code, an error in one line."""
    options = make_parser().parse_args(arguments)
    known: dict[str, dict[str, Any]] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    try:
        if options.command == "fetch":
            fetch(options.names or [name for name in known if known[name]["sha256"]], known, options.weights_dir)
        else:
            print_table(table(known, options.weights_dir))
            print()
            for name, entry in known.items():
                if note := entry.get("note") or entry.get("page"):
                    print(f"{name}: {note}")
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def table(known: Mapping[str, Mapping[str, Any]], weights_dir: str | None) -> Table:
    """Return every checkpoint of the catalogue: size, licence, and where it is or how to get it."""
    rows = Table(box=None, pad_edge=False)
    for heading in ("checkpoint", "MB", "licence", "where"):
        rows.add_column(heading, justify="right" if heading == "MB" else "left", overflow="fold")
    for name, entry in known.items():
        path = find_weights(name, weights_dir=weights_dir)
        absent = "passerby weights fetch" if entry["url"] else "not here, and no address is known"
        size = "" if entry["size"] is None else f"{entry['size'] / 1e6:.1f}"
        rows.add_row(name, size, entry["licence"], escape(absent if path is None else str(path)))
    return rows


def fetch(names: Sequence[str], known: Mapping[str, Mapping[str, Any]], weights_dir: str | None) -> None:
    """Make sure that these checkpoints are there and unaltered; print where.

    Raises:
        ConfigError: If a name is not in the catalogue.
        WeightsError: If one cannot be had.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{unknown[0]}: expected a name that passerby weights list shows; correct it")
    for name in names:
        print(f"{name} ({known[name]['licence']}): {locate_weights(name, weights_dir=weights_dir)}", flush=True)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="passerby weights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights-dir", default=os.environ.get("PASSERBY_WEIGHTS"), help="a folder to look in first")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("list", help="every checkpoint, its licence, and where it is (the default)")
    fetching = commands.add_parser("fetch", help="download and check")
    fetching.add_argument("names", nargs="*", metavar="NAME", help="as list shows them; none: all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
