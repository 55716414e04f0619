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
    cli, run                            the commands

``models`` and ``connectors`` stand beside ``pipeline``. Only configuration names what is in them.
"""
