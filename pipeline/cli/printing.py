"""Tables on standard output."""

import sys

from rich.console import Console
from rich.table import Table

WIDTH = 200
"""Columns of a table that is not printed on a terminal: names stay whole for other programs."""


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, or ``WIDTH`` columns wide where there is none; brackets are brackets."""
    Console(width=None if sys.stdout.isatty() else WIDTH, markup=False).print(table)
