"""What a user is told of a configuration that hydra cannot compose: one line, the key first, no word of hydra's own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from pipeline.config.schema import PipelineConfig

RENAMED = {
    "buffer.doubtful_score": "buffer.static_min_score",
    "buffer.sure_score": "buffer.min_peak_score",
    "matcher.calibration.max_evidence": "matcher.calibration.max_llr",
    "matcher.review_every_s": "matcher.recluster_every_s",
    "matcher.review_window_s": "matcher.recluster_window_s",
    "site.no_way": "site.no_transit",
    "site.walking_times": "site.transit_times",
}
"""Keys of earlier versions, and their names now."""

KINDS = {
    "Float": "a number",
    "Integer": "a whole number",
    "Boolean": "true or false",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "dict": "{name: value, …}",
    "list": "[value, …]",
}
"""Types as OmegaConf calls them, and what a user writes."""

SEVERAL = ("alerts", "sink", "source")
"""Groups of which several choices are made."""

Rewording = tuple[str, str]
_REWORDINGS: tuple[Rewording, ...] = (
    (r"Environment variable '(\w+)' not found", "expected the environment variable {0}, got none; export {0}=…"),
    (r"Error resolving interpolation '\$\{oc\.env:(\w+)", "expected the environment variable {0}; export {0}=…"),
    (r"Interpolation key '([^']+)' not found", "${{{0}}} names no key; correct it"),
    (r"Value '(.*)' of type '\w+' could not be converted to (\w+)", "expected {kind}, got {0}; correct it"),
    (r"Value '(.*)' \(\w+\) could not be converted to (\w+)", "expected {kind}, got {0}; correct it"),
    (r"Value '(.*)' is not a valid (\w+)", "expected {kind}, got {0}; correct it"),
    (r"Cannot assign (\w+) to Dict", "expected {{name: value, …}}, got one value; correct it"),
    (r"Invalid type assigned: (\w+) is not a subclass of Dict", "expected {{name: value, …}}, got a {0}; correct it"),
    (r"is not a ListConfig", "expected [value, …], got {value}; write '{key}=[{value}]'"),
    (r"Cannot merge DictConfig with ListConfig", "expected [value, …], got {value}; correct it"),
    (r"Cannot merge ListConfig with DictConfig", "expected {{name: value, …}}, got {value}; correct it"),
    (
        r"Invalid (?:type|value) assigned: (\w+) (?:is not a|does not match)",
        "expected another type than {0}; correct it",
    ),
    (r"Key (.+) \(\w+\) is incompatible with \(str\)", "expected text as a name, got {0}; write '{0}' in quotes"),
    (r"does not support deletion|Could not delete", "cannot be removed; set it to another value, such as {{}} or []"),
    (r"appears more than once in the final defaults list", "chosen twice; name one choice, without + before the key"),
    (r"(?:field|Field) '?[\w.]+'? is not Optional|Incompatible value 'None'", "expected a value, got null; correct it"),
)
"""What hydra and OmegaConf say, and what a user is told after the key."""


def message_of(error: Exception, configs: Sequence[Path]) -> str:
    """Return an error of hydra, OmegaConf or YAML as one line that names the key and says what to do.

    Args:
        error: As it was raised.
        configs: The folders with the choices.
    """
    if isinstance(error, yaml.YAMLError):
        return " ".join(str(error).split())
    texts = [" ".join(str(one).split()) for one in _chain(error)]
    whole = "; ".join(texts)
    key = _key_of(error, whole)
    for old, now in RENAMED.items():
        if key == old or re.search(rf"\b{old.rpartition('.')[2]}\b", whole):
            return f"{old} is now {now}; write {now}"
    choice = re.search(r"Could not (?:find|load) '([^']+)/([^']+)'", whole)
    if choice:
        group, name = choice.groups()
        if group == "calibration":
            return (
                f"calibration/{name}.yaml: expected what distances of the embedder {name} mean, got no such file; "
                "write it beside the embedder's (same_mean, same_std, different_mean, different_std): "
                "docs/integrators.md"
            )
        return unknown_choice(group, name, choices(group, configs))
    for pattern, words in _REWORDINGS:
        found = re.search(pattern, whole)
        if found:
            groups = found.groups()
            kind = KINDS.get(groups[-1], groups[-1]) if groups else ""
            given = re.search(r"merging override [^=\s]+=([^;]*)", whole)
            return f"{key}: {words.format(*groups, kind=kind, key=key, value=given[1] if given else 'something else')}"
    if re.search(r"not in|No match in the defaults list|is not in struct", whole):
        return unknown_key(key, configs)
    return f"{key}: cannot be used: {texts[-1]}"


def unknown_keys(node: object, kind: type, prefix: str = "") -> Iterator[str]:
    """Yield the keys of a composed configuration that the schema does not have, and that nothing would read."""
    known = {field.name: field for field in fields(kind)}
    for name in node:  # type: ignore[attr-defined]  # a DictConfig iterates over its keys
        if name not in known:
            yield f"{prefix}{name}"
        elif is_dataclass(inner := known[str(name)].type):
            assert isinstance(inner, type)
            value = node[name]  # type: ignore[index]
            if value is not None:
                yield from unknown_keys(value, inner, f"{prefix}{name}.")


def choices(group: str, configs: Sequence[Path]) -> list[str]:
    """Return what can be chosen in a group."""
    return sorted({path.stem for folder in configs for path in (folder / group).glob("*.yaml")})


def unknown_choice(key: str, name: str, known: Sequence[str]) -> str:
    """Return the error of a choice that is in none of the folders, with the one that was probably meant."""
    near = get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]}?" if near else "correct it"
    return f"{key}: expected one of {', '.join(known)}, got {name}; {remedy}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _key_of(error: Exception, whole: str) -> str:
    """Return the key that an error is about, as completely as it is known."""
    for one in _chain(error):
        full_key = getattr(one, "full_key", None)
        if full_key:
            return str(full_key)
    for pattern in (
        r"Could not override '\+*([^']+)'",
        r"merging override \+*~?([^=\s]+)",
        r"full_key: ([\w.]+)",
        r"^(\S+) appears more than once",
        r"In '[^']*': (\S+) appears",
    ):
        found = re.search(pattern, whole)
        if found:
            return found[1]
    return "configuration"


def unknown_key(key: str, configs: Sequence[Path]) -> str:
    """Return the error of a key that does not exist, or that belongs to a plug-in that is not chosen."""
    group, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    if group in SEVERAL and rest:
        known = choices(group, configs)
        if name in known:
            options, wanted = _options(group, name, configs), rest.split(".")[1:2]
            if options and not set(wanted) <= set(options):
                near = get_close_matches(wanted[0], options, n=1)
                remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(options)}"
                return f"{key}: {name} has no key {wanted[0]}; {remedy}"
            return f"{key}: {name} is not chosen; add it to {group}=[…]"
        return unknown_choice(key, name, known)
    near = _nearest_key(key, list(_keys(PipelineConfig)))
    return (
        f"{key}: there is no such key{f'; did you mean {near[0]}?' if near else ''}; passerby run --cfg job shows all"
    )


def _nearest_key(key: str, known: Sequence[str]) -> list[str]:
    """Return the key that was probably meant: one of the same block with a like last word, else one like the whole.

    Keys of one block share its name, which says nothing about the last word.
    """
    block, _, last = key.rpartition(".")
    beside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == block]
    if beside:
        return [f"{block}.{near}" if block else near for near in get_close_matches(last, beside, n=1)]
    return get_close_matches(key, known, n=1, cutoff=0.8)


def _options(group: str, name: str, configs: Sequence[Path]) -> list[str]:
    """Return the keys of a plug-in's YAML; empty if they cannot be read."""
    for folder in configs:
        path = folder / group / f"{name}.yaml"
        try:
            found = yaml.safe_load(path.read_text()) if path.is_file() else None
        except (OSError, ValueError, yaml.YAMLError):
            continue
        block = found.get(group, found).get(name) if isinstance(found, dict) else None
        if isinstance(block, dict):
            return [key for key in block if not key.startswith("_")]
    return []


def _keys(kind: type, prefix: str = "") -> Iterator[str]:
    for field in fields(kind):
        yield f"{prefix}{field.name}"
        if is_dataclass(field.type) and isinstance(field.type, type):
            yield from _keys(field.type, f"{prefix}{field.name}.")
