"""The metrics that Grafana's board and the alert rules ask Prometheus for."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"


def of_the_board() -> set[str]:
    """Return the names of the metrics on the board, as a run exports them."""
    board = json.loads((DOCKER / "grafana/boards/passerby.json").read_text())
    return _named(target["expr"] for panel in board["panels"] for target in panel["targets"])


def of_the_alerts() -> set[str]:
    """Return the names of the metrics in the alert rules, as a run exports them."""
    (group,) = yaml.safe_load((DOCKER / "alerts.yaml").read_text())["groups"]
    return _named(rule["expr"] for rule in group["rules"])


def _named(expressions: Iterable[str]) -> set[str]:
    return {name for expression in expressions for name in re.findall(r"\bray_\w+", expression)}
