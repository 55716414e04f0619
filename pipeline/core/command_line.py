"""Start and end of a command that takes ``key=value`` words."""

import sys
from collections.abc import Callable

from pipeline.core.errors import ReidError


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
