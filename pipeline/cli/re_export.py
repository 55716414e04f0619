"""``passerby re-export outputs/RUN``: writes MOT text and films of a finished run again, with its corrections.

A correction command that comes after a run is applied in its ledger. The files that the run wrote at its end stay as
they were until this command writes them again, from the boxes that the sinks stored and the ledger as it is now.
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
    """Export the run that the command line names again, and return the exit code."""
    options = make_parser().parse_args(arguments)
    try:
        names = re_export(options.output_dir)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.output_dir}: exported again: {', '.join(names)}")
    return DONE


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby re-export", description=__doc__)
    parser.add_argument("output_dir", type=Path, help="folder of a finished run")
    return parser


def re_export(folder: Path) -> list[str]:
    """Let every sink of a run that can write its files again do so; return their names.

    Raises:
        ConfigError: If the folder holds no run, or the run had no such sink.
        ConnectorError: If the run has not ended, or a sink cannot write.
    """
    check_is_there(folder / "ledger.sqlite")
    reader = LedgerReader(folder / "ledger.sqlite")
    try:
        if is_being_written(reader.path):
            raise ConnectorError(f"{folder}: expected a finished run, got one that still writes; wait for its end")
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


def check_is_there(ledger: Path) -> None:
    """Raise ``ConfigError`` if there is no ledger where the command line says."""
    if not ledger.is_file():
        raise ConfigError(f"{ledger}: expected a ledger, got no file; name the ledger.sqlite of a run, or its folder")


def write_again(folder: Path, films: Sequence[Path]) -> str:
    """Write films again that an erasure has deleted, and return in one sentence what became of them."""
    names = ", ".join(film.name for film in films)
    try:
        re_export(folder)
    except ReidError as error:
        return f"films deleted: {names}; they cannot be written again: {error}"
    missing = ", ".join(film.name for film in films if not film.exists())
    if missing:
        return f"films deleted, and not written again: {missing}"
    return f"films written again with the person covered: {names}"


def _makers(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return factories of the sinks of a run that are a ``ReExportableSink``, by name."""
    path = folder / "config.yaml"
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(path))
        nodes = dict(config["sink"])
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: expected the configuration of a run, got {error!r}; give its output_dir") from error
    made = {
        name: build({**node, "output_dir": str(folder)}, f"sink.{name}", allow=config.get("allow_plugins") or ())
        for name, node in nodes.items()
        if isinstance(node, dict) and "output_dir" in node
    }
    return {name: make for name, make in made.items() if hasattr(getattr(make, "func", None), "re_export")}


if __name__ == "__main__":
    sys.exit(main())
