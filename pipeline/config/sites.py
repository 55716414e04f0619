"""Several sites in one job: which words of a command line are of which site."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config.composition import load_config
from pipeline.config.destinations import check_destinations
from pipeline.config.overrides import quoted, read_overrides
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, ReidError

OF_THE_JOB = ("output_dir", "resume", "runtime", "log", "metrics", "sites")
"""Keys of the job: one site cannot have its own value."""

_NAME = re.compile(r"\w[\w-]*")
_OF_SITE = re.compile(r"(?P<sign>\+\+|\+|~)?sites\.(?P<name>[^.=]*)(?P<rest>[.=].*)", re.DOTALL)


def load_sites(words: Sequence[str]) -> dict[str, PipelineConfig]:
    """Return the configuration of each site that a command line names, by name; of its only one without a name.

    ``sites=[east,west]`` names two of ``configs/site``, ``sites={east: demo, west: pets}`` gives them other names, and
    ``sites.east.KEY=VALUE`` is ``KEY=VALUE`` for one of them. What has no such key is for all. Each is as it would be
    alone, with ``site_name`` set and a folder of its own in ``output_dir``.

    Raises:
        ConfigError: If a site cannot be composed, or two would write to one place; names the site and the key.
    """
    common, own = _words_of_sites(words)
    if not own:
        return {"": load_config(common)}
    folder: str | None = None
    sites = {}
    for name, of_site in own.items():
        taken = {_key(word) for word in of_site}
        mine = [*(word for word in common if _key(word) not in taken), *of_site]
        try:
            folder = folder or load_config(mine).output_dir
            mine = [word for word in mine if _key(word) != "output_dir"]
            sites[name] = load_config([*mine, f"output_dir={Path(folder, name)}", f"site_name={quoted(name)}"])
        except ReidError as error:
            raise ConfigError(f"site {name}: {error}") from error
    check_destinations(sites)
    return sites


def _words_of_sites(words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words for all sites, and those of each site, as if it were alone."""
    common: list[str] = []
    named: dict[str, list[str]] = {}
    chosen: dict[str, str] | None = None
    for word in words:
        if word.startswith("sites="):
            chosen = _chosen(word)
        elif "=" in word and (match := _OF_SITE.fullmatch(word)) is not None:
            name, rest = match["name"], match["rest"]
            key = rest[1:].partition("=")[0]
            if rest.startswith(".site_name"):
                raise ConfigError(f"sites.{name}.site_name: is {name}; leave it out, or write sites.NAME for another")
            if rest.startswith(".") and key.partition(".")[0] in OF_THE_JOB:
                raise ConfigError(f"sites.{name}.{key}: is one for the whole job; write {key}=…")
            own = f"site{rest}" if rest.startswith("=") else f"{match['sign'] or ''}{rest[1:]}"
            named.setdefault(name, []).append(own)
        else:
            common.append(word)
    for name in [*named, *(chosen or ())]:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"sites: expected names of letters, digits, _ and -, got {name!r}; rename the site")
    if (named or chosen) and "site_name" in map(_key, common):
        raise ConfigError("site_name: expected none for all, because each site has its own; leave it out")
    if chosen is None:
        _check_have_cameras(common, named)
        return common, named
    if "site" in map(_key, common):
        raise ConfigError("site: expected no place for all beside sites=…, because each of them is one; leave it out")
    for name in named.keys() - chosen.keys():
        raise ConfigError(f"sites.{name}: expected one of {', '.join(chosen)}, got {name}; add it to sites=…")
    own_words = {name: named.get(name, []) for name in chosen}
    return common, {
        name: of_site if any(_key(word) == "site" for word in of_site) else [f"site={chosen[name]}", *of_site]
        for name, of_site in own_words.items()
    }


def _check_have_cameras(common: Sequence[str], named: Mapping[str, Sequence[str]]) -> None:
    """Raise ``ConfigError`` if a site is given neither a place nor cameras: its name may be a misspelt one."""
    given = ("site", "site.cameras")
    if any(_key(word) in given for word in common):
        return
    for name, words in named.items():
        if not any(_key(word).startswith(given) for word in words):
            others = ", ".join(other for other in named if other != name) or "none"
            raise ConfigError(
                f"sites.{name}: expected a place or cameras, got neither; write sites.{name}=PLACE or "
                f"sites.{name}.site.cameras={{…}}, or correct the name (others here: {others})"
            )


def _chosen(word: str) -> dict[str, str]:
    """Return which place each site is that ``sites=…`` names, by name."""
    value = read_overrides([word]).changes[0].value
    pairs = list(value.items()) if isinstance(value, Mapping) else [(name, name) for name in _listed(value)]
    places = {str(name): str(place) for name, place in pairs if isinstance(place, str | int)}
    if not pairs or len(places) != len(pairs):
        raise ConfigError(
            f"sites: expected [east,west] or {{east: CHOICE, …}}, each name once, got {value}; correct it"
        )
    return places


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
