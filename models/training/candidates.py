"""Plug-ins that a command line names, to be scored one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from pipeline.config.composition import load_config
from pipeline.config.plugins import build
from pipeline.core.errors import ConfigError

Figures = Sequence[float | int]
Scored = TypeVar("Scored")
Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a command line says.

    Attributes:
        names: Of plug-ins, as in ``configs/``, by group.
        overrides: Everything else, for the configuration.
    """

    names: dict[str, list[str]]
    overrides: list[str]

    def score(self, group: str, score: Callable[[Any], Scored], *, site: str) -> dict[str, Scored]:
        """Return the score of each plug-in of a group, by name.

        Raises:
            ConfigError: If one cannot be built as configured.
            WeightsError: If its weights are absent or altered.
        """
        rows = {}
        for name in self.names[group]:
            config = load_config([f"site={site}", f"{group}={name}", *self.overrides])
            rows[name] = score(build(getattr(config, group), group)())
        return rows


def read_candidates(arguments: Sequence[str], groups: Sequence[str]) -> Candidates:
    """Return what ``key=value`` arguments say: a group's value is a list with commas.

    Raises:
        ConfigError: If an argument is no pair, or no plug-in is named.
    """
    chosen = _pairs(arguments)
    names = {group: [name for name in chosen.pop(group, "").split(",") if name] for group in groups}
    if not any(names.values()):
        wanted = " or ".join(f"{group}=…" for group in groups)
        raise ConfigError(f"command line: expected {wanted}, got none of them; name some, see configs/")
    return Candidates(names, [f"{key}={value}" for key, value in chosen.items()])


def read_options(arguments: Sequence[str], schema: type[Options]) -> tuple[Options, list[str]]:
    """Return what ``key=value`` arguments say of a command itself, and the other arguments.

    Args:
        arguments: Of the command line.
        schema: A dataclass that hydra could fill.

    Raises:
        ConfigError: If an argument is no pair, or a value absent or mistyped.
    """
    chosen = _pairs(arguments)
    default = OmegaConf.structured(schema)
    values = {key: chosen.pop(key) for key in list(default) if key in chosen}
    try:
        options = OmegaConf.to_object(OmegaConf.merge(default, values))
    except OmegaConfBaseException as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"command line: expected values for {', '.join(default)}, got: {reason}") from error
    assert isinstance(options, schema)
    return options, [f"{key}={value}" for key, value in chosen.items()]


def _pairs(arguments: Sequence[str]) -> dict[str, str]:
    for argument in arguments:
        if "=" not in argument:
            raise ConfigError(f"command line: expected key=value, got {argument!r}; the module's first lines show some")
    return dict(argument.split("=", 1) for argument in arguments)


def print_rows(headings: Sequence[str], rows: Mapping[str, Figures], *, title: str = "") -> None:
    """Print a table: a name a row, fractions with three places."""
    table = Table("", title=title or None, box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, figures in rows.items():
        table.add_row(name, *[f"{figure:.3f}" if isinstance(figure, float) else str(figure) for figure in figures])
    Console().print(table)
