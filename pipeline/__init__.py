"""Passerby: people who are followed across cameras, each under one number.

Each folder is one subject. Layers, lowest first; a package imports only lower ones (``tests/test_layers.py``)::

    core                                records, interfaces of plug-ins, errors
    config.plugins                      from a ``_target_`` to a factory
    models, camera                      networks, trackers, galleries; detection and tracking of one camera
    embedding                           from a tracklet to a vector
    association, alerts, ledger         who is who; what is worth an alert; the store of events
    connectors                          sources, sinks, Kafka, the operator's page
    telemetry, evaluation               status, metrics, logs; scores against ground truth
    runtime                             actors, queues, checkpoints, the Ray cluster
    config                              schema, composition, and the plan of a run
    api                                 the Python interface, which ``import pipeline`` offers
    cli, run                            the commands

``models`` and ``connectors`` stand beside ``pipeline``. Only configuration names what is in them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.api import (
        Pipeline,
        from_supervision,
        make_embedding,
        open_ledger,
        open_matcher,
        to_supervision,
    )
    from pipeline.core import Correction, Sighting

__all__ = [
    "Correction",
    "Pipeline",
    "Sighting",
    "from_supervision",
    "make_embedding",
    "open_ledger",
    "open_matcher",
    "to_supervision",
]


def __getattr__(name: str) -> object:
    """Load the Python interface when it is first used: other programs import only what they need."""
    if name in __all__:
        return getattr(import_module("pipeline.api"), name)
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
