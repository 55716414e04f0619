"""How a command that takes ``key=value`` words begins and ends."""

import sys
from collections.abc import Callable

from pipeline.core.errors import ReidError


def run_command(main: Callable[[list[str]], None]) -> None:
    """Run a command with the words that it was given; ``--help`` prints what its module says of itself.

    A mistake is one line on standard error, and the process ends with the error's exit code.

    Args:
        main: Takes the words.
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
