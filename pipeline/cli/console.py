"""``passerby console``: serves the operator's page, with what only the pipeline can do for a run that has ended."""

import sys
from collections.abc import Sequence

from connectors.console.__main__ import main as serve
from connectors.console.__main__ import make_parser
from connectors.console.app_state import AtRest
from pipeline.cli.cameras.command import check_camera_at_rest
from pipeline.cli.re_export import write_again
from pipeline.cli.state_at_rest import forget

__all__ = ["main", "make_parser"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is stopped, and return the exit code."""
    return serve(arguments, AtRest(forget, write_again, check_camera_at_rest))


if __name__ == "__main__":
    sys.exit(main())
