"""Whether a rule that is built anew may keep what it knows."""

from collections.abc import Mapping


def has_all_of(options: object, earlier: object) -> bool:
    """Return whether a rule's options are those of before, but for zones and lines that came besides.

    What a rule knows of a zone that is gone, or lies elsewhere now, would be wrong.

    Example:
        >>> has_all_of({"zones": {"a": 1, "b": 2}, "min_s": 3}, {"zones": {"a": 1}, "min_s": 3})
        True
        >>> has_all_of({"zones": {"a": 2}}, {"zones": {"a": 1}})
        False
    """
    if not isinstance(options, Mapping) or not isinstance(earlier, Mapping) or options.keys() != earlier.keys():
        return False
    return all(_has(options[key], value, key) for key, value in earlier.items())


def _has(value: object, earlier: object, key: str) -> bool:
    if key in ("zones", "lines") and isinstance(value, Mapping) and isinstance(earlier, Mapping):
        return all(name in value and value[name] == shape for name, shape in earlier.items())
    return value == earlier
