"""What a broker keeps of a person after the run that published it has ended, and how to clear it there."""

import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.core import Alert, AlertState, Correction
from pipeline.core.records.alert import incident_id

_SINK = re.compile(
    r"^(?P<indent> +)_target_: ['\"]?connectors\.sinks\.mqtt\.MqttSink['\"]?\n"
    r"(?:(?P=indent).*\n)*?(?P=indent)topic: ['\"]?(?P<topic>[^'\"\n]+)",
    re.MULTILINE,
)
"""The MQTT sink in the configuration that a run leaves, and the root of its topics."""


def retained_topics(config: Path, alerts: Iterable[Alert], erased: Correction) -> tuple[str, ...]:
    """Return the MQTT topics that may hold retained messages about erased people, as filters.

    Args:
        config: The configuration that the run left; where there is none, none are known.
        alerts: The newest record of each alert, before the erasure.
        erased: The correction.
    """
    try:
        sink = _SINK.search(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ()
    about = [
        alert for alert in alerts if alert.person_id in erased.person_ids and alert.state is not AlertState.RETRACTED
    ]
    if sink is None or not about:
        return ()
    root = sink["topic"]
    own = [f"{root}/alerts/{incident_id(alert.key)}/#" for alert in about]
    return (*own, f"{root}/places/+/image", f"{root}/places/+/alert")  # the newest alert of each place


def how_to_clear(topics: Iterable[str]) -> str:
    """Return the command that removes what a broker retains in topics.

    Example:
        >>> how_to_clear(["a/#"])
        "mosquitto_sub -h BROKER --retained-only --remove-retained -W 9 -t 'a/#'"
    """
    return " ".join(["mosquitto_sub -h BROKER --retained-only --remove-retained -W 9", *(f"-t '{t}'" for t in topics)])
