"""How a command ends that is a program of its own."""

import sys
from collections.abc import Callable

from pipeline.core.errors import DataError, ReidError


def run_command(main: Callable[[list[str]], None]) -> None:
    """Run a command with the arguments of this process; a mistake is one line on standard error.

    The process ends with 2 where nothing could begin, with 1 where data turned out to be damaged on the way.

    Args:
        main: Takes the arguments.
    """
    try:
        main(sys.argv[1:])
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, DataError) else 2)
