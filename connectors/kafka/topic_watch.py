"""Why a cluster takes no events, found out while a sink waits for it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaError

from connectors.kafka.client import reason
from connectors.kafka.preflight import why_failed, writing
from connectors.kafka.probe import why_unreachable
from connectors.kafka.topics import TopicSpec, make_topics, out_of_step


class TopicWatch:
    """Keeps the topics of a sink there, and says why they take nothing.

    kafka-python tries again in silence, and its errors say little.

    Args:
        specs: The topics.
    """

    def __init__(self, specs: Sequence[TopicSpec]) -> None:
        self._specs = specs
        self._reported: set[str] = set()

    def make(self, options: Mapping[str, Any]) -> list[str]:
        """Create the topics that do not exist, and return their names; warn once about settings of the others.

        Raises:
            KafkaError: If the broker cannot be reached, or does not allow it.
        """
        return make_topics(options, self._specs, self._reported)

    def look(self, options: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """Return the topics that were gone and are made anew, and in words why events may not be taken.

        Raises:
            KafkaError: If the broker cannot be reached, or does not allow it.
        """
        why = why_unreachable(options)
        return ([], why) if why is not None else (self.make(options), out_of_step(options, self._specs))

    def words(self, error: KafkaError, options: Mapping[str, Any]) -> str:
        """Return why nothing is taken: what a look at the cluster finds, else what the library says."""
        why = why_failed(error, options, writing(self._specs))
        if why is None:
            with suppress(KafkaError):
                why = out_of_step(options, self._specs)
        return why or reason(error)
