"""One curl example for each operation of the API."""

import json
import re
from typing import Any

EXAMPLE_VALUES: dict[str, object] = {
    "person_id": 7,
    "person_ids": [7, 9],
    "number": 1,
    "name": "ann",
    "password": "a long password",
    "old": "a long password",
    "new": "a longer password",
    "role": "operator",
    "cameras": ["east"],
    "label": "nightly export",
    "one": 7,
    "two": 9,
    "keys": ["zone_dwell/7/12.5"],
    "code": "123456",
    "required_from": "operator",
    "key": "zone_dwell/7/12.5",
    "text": "waits for a friend",
    "rule": "zone_dwell",
    "rules": "site: {max_dwell_s: 20}",
    "base": 3,
    "pixels": [[64, 324], [576, 324], [448, 144], [192, 144]],
    "metres": [[0, 0], [6, 0], [6, 9], [0, 9]],
    "camera": "east",
    "address": "rtsp://10.0.0.9/live",
    "first_px": [100, 500],
    "second_px": [700, 500],
    "length_m": 12,
    "seconds": 900,
    "since": 0,
    "until": 30,
    "track": "east/0/3",
    "part": 0,
    "kind": "merge",
    "reason": "the same coat",
    "first": {"track": "east/0/3", "part": 0},
    "second": {"track": "west/0/5", "part": 2},
    "is_same": True,
    "purpose": "queue",
}
"""A value for each required parameter and field of the API, by its name."""


def add_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document with an example of each operation, as ``x-codeSamples``."""
    paths = {
        path: {
            method: {
                **operation,
                "x-codeSamples": [{"lang": "Shell", "source": _curl(path, method, operation, document)}],
            }
            for method, operation in methods.items()
        }
        for path, methods in document["paths"].items()
    }
    return {**document, "paths": paths}


def _curl(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    filled = re.sub(r"{(\w+)}", lambda found: str(EXAMPLE_VALUES[found[1]]), path)
    query = "&".join(
        f"{each['name']}={EXAMPLE_VALUES[each['name']]}"
        for each in operation.get("parameters", [])
        if each["in"] == "query" and each.get("required")
    )
    words = ["curl", "-X", method.upper()] if method not in ("get",) else ["curl"]
    if path.endswith((".zip", ".mp4", "/picture", "/clip")) and method == "get":
        words.append("-OJ" if path.endswith((".zip", ".mp4")) else "-o picture.jpg")
    if path != "/api/login":
        words.append('-H "Authorization: Bearer $TOKEN"')
    words.append(f"'http://127.0.0.1:8400{filled}{'?' + query if query else ''}'")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        schema = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        given = {name: EXAMPLE_VALUES[name] for name in schema["properties"] if name in schema.get("required", ())}
        words += ["--json", f"'{json.dumps(given)}'"]
    if "image/jpeg" in operation.get("requestBody", {}).get("content", {}):
        words.append("-H 'Content-Type: image/jpeg' --data-binary @picture.jpg")
    return " ".join(words)
