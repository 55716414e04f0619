"""Takes secrets out of what is written or said of a configuration."""

import re
from typing import Any

import yaml

from pipeline.core.errors import USER_INFO

SECRET_KEY = re.compile(r"password|passphrase|token|secret", re.IGNORECASE)
"""Keys whose values are secrets, unless they name the place of one: an environment variable or a file."""

TEXTS = (
    USER_INFO,
    re.compile(r"([?&][^=&\s]*(?:token|secret|pass|pwd|key|auth|sig)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE),
    re.compile(rf"^(\s*\w*(?:{SECRET_KEY.pattern})\w*(?<!_env)(?<!_file): )(?!null$).+$", re.IGNORECASE | re.MULTILINE),
)
"""What a text must not show of addresses and of lines of YAML. The first group of each is kept, the rest replaced."""

MASK = "***"


def masked(text: str) -> str:
    """Return a text without the secrets of the addresses, and of the lines of YAML, in it."""
    for pattern in TEXTS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def holds_secret(word: str) -> bool:
    """Return whether a word ``key=value`` holds a secret, and not the name of an environment variable."""
    key, _, value = word.partition("=")
    try:
        node = yaml.safe_load(value)
    except yaml.YAMLError:
        node = value
    return "${oc.env:" not in value and without_secrets(node, key.rpartition(".")[2]) != node


def without_secrets(node: Any, key: str = "") -> Any:
    """Return nested dictionaries, lists and values without the secrets of addresses and of keys that name one.

    Args:
        node: Plain values.
        key: Under which the node stands.
    """
    if isinstance(node, dict):
        return {name: without_secrets(value, str(name)) for name, value in node.items()}
    if isinstance(node, list):
        return [without_secrets(value, key) for value in node]
    if node is not None and SECRET_KEY.search(key) and not key.endswith(("_env", "_file")):
        return MASK
    return masked(node) if isinstance(node, str) else node
