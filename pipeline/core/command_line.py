"""Start and end of a command that takes ``key=value`` words."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence

from pipeline.core.errors import ReidError

OVERRIDE = re.compile(r"[+~]{0,2}[A-Za-z_]\w*(?:[.@]\w+)*=")
"""How a word ``key=value`` begins."""


def run_command(main: Callable[[list[str]], None]) -> None:
    """Run a command with the words of the command line; ``--help`` prints the docstring of its module.

    A ``ReidError`` becomes one line on standard error, and the process ends with its exit code.

    Args:
        main: The command; it takes the words.
    """
    words = sys.argv[1:]
    if not {"-h", "--help"}.isdisjoint(words):
        print((sys.modules[main.__module__].__doc__ or "").strip())
        return
    try:
        main(words)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def parse_with_overrides(parser: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """Parse words of which those ``key=value`` go to ``overrides``, wherever they stand.

    argparse alone gives ``overrides`` what stands together, and refuses the rest.

    Args:
        parser: Has the argument ``overrides``, or subcommands that have it.
        words: None: those of the command line.
    """
    given = sys.argv[1:] if words is None else list(words)
    # What follows an option may be its value, and is left where it stands.
    is_early = [
        bool(OVERRIDE.match(word)) and not (number and given[number - 1].startswith("-"))
        for number, word in enumerate(given)
    ]
    early = [word for word, is_one in zip(given, is_early, strict=True) if is_one]
    parsed, more = parser.parse_known_args([word for word, is_one in zip(given, is_early, strict=True) if not is_one])
    takes_overrides = hasattr(parsed, "overrides")
    wrong = [word for word in [*early, *more] if not (takes_overrides and OVERRIDE.match(word))]
    if wrong:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    if takes_overrides:
        chosen = {*early, *parsed.overrides, *more}
        parsed.overrides = [word for word in given if word in chosen]  # of two with one key, the later one holds
    return parsed
