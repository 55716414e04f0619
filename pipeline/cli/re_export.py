"""``passerby re-export outputs/RUN``: MOT text and films of a run that has ended, with who is who now.

Orders that operators place after a run are carried out in its ledger; what the run wrote at its end stays as it was
until this makes it anew, of the boxes that the sinks kept and the ledger as it stands.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pipeline.config.plugins import build
from pipeline.core.errors import ConfigError, ConnectorError, ReidError
from pipeline.ledger import LedgerReader
from pipeline.ledger.ledger import is_being_written

DONE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Make anew what the command line names, and return the exit code."""
    parser = argparse.ArgumentParser(prog="passerby re-export", description=__doc__)
    parser.add_argument("output_dir", type=Path, help="of a run that has ended")
    options = parser.parse_args(arguments)
    try:
        names = re_export(options.output_dir)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.output_dir}: made anew: {', '.join(names)}")
    return DONE


def re_export(folder: Path) -> list[str]:
    """Let every sink of a run that can make its files anew do so; return their names.

    Raises:
        ConfigError: If it is no run, or had no such sink.
        ConnectorError: If a run still writes there, or a sink cannot.
    """
    reader = LedgerReader(folder / "ledger.sqlite")
    try:
        if is_being_written(reader.path):
            raise ConnectorError(f"{folder}: expected a run that has ended, got one that goes on; wait for its end")
        makers = _makers(folder)
        if not makers:
            raise ConfigError(f"{folder}: expected a run with the sink mot or annotated_video, got one without")
        for make in makers.values():
            sink = make()
            sink.re_export(reader.person_of)
            sink.close()
    finally:
        reader.close()
    return list(makers)


def _makers(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return factories of the sinks of a run that are a ``ReExportableSink``, by name."""
    path = folder / "config.yaml"
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(path))
        nodes = dict(config["sink"])
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: expected the configuration of a run, got {error!r}; name its output_dir") from error
    made = {
        name: build({**node, "output_dir": str(folder)}, f"sink.{name}")
        for name, node in nodes.items()
        if isinstance(node, dict) and "output_dir" in node
    }
    return {name: make for name, make in made.items() if hasattr(getattr(make, "func", None), "re_export")}


if __name__ == "__main__":
    sys.exit(main())
