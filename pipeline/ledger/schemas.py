"""Generates the JSON Schema files of the messages: ``python -m pipeline.ledger.schemas connectors/schemas``."""

import json
import sys
from pathlib import Path

import msgspec

from pipeline.ledger.messages import (
    SCHEMA,
    AlertMessage,
    CorrectionMessage,
    CountMessage,
    EventMessage,
    SightingMessage,
    TrackletMessage,
)

MESSAGES: dict[str, type[EventMessage | CountMessage]] = {
    "alert": AlertMessage,
    "correction": CorrectionMessage,
    "count": CountMessage,
    "sighting": SightingMessage,
    "tracklet": TrackletMessage,
}
"""Messages by the name of their schema file."""


def schema_files() -> dict[str, str]:
    """Return the text of each schema file, by file name."""
    return {
        f"{name}.schema.json": json.dumps(_schema(name, kind), indent=2, ensure_ascii=False) + "\n"
        for name, kind in MESSAGES.items()
    }


def _schema(name: str, kind: type[EventMessage | CountMessage]) -> dict[str, object]:
    generated = msgspec.json.schema(kind)
    root = _inlined(generated, generated["$defs"])
    assert isinstance(root, dict)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:passerby:schema:{SCHEMA}:{name}",
        "title": name.capitalize(),
        **root,
    }


def _inlined(node: object, definitions: dict[str, dict[str, object]]) -> object:
    """Return a node with each reference replaced by what it refers to, so that a file needs no definitions.

    A description beside a reference takes the place of the general one. Titles, which repeat names of classes, go.
    """
    if isinstance(node, list):
        return [_inlined(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = definitions[node["$ref"].removeprefix("#/$defs/")]
        node = {**found, **{key: value for key, value in node.items() if key not in ("$ref", "$defs")}}
    return {key: _inlined(value, definitions) for key, value in node.items() if key != "title"}


if __name__ == "__main__":
    for file_name, text in schema_files().items():
        (Path(sys.argv[1]) / file_name).write_text(text, encoding="utf-8")
