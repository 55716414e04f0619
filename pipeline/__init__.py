"""Orchestration: what happens, in which order, in which process.

Layers, lowest first; a layer may import those above it in this list and no other (``tests/test_layers.py``):

    pipeline.core                         the nouns
    models, connectors                    plug-ins; named only in configuration
    pipeline.stages, pipeline.alerts      policy without a process
    pipeline.runtime.flow, .watermark, .ledger    the verbs
    pipeline.runtime                       processes
    pipeline.cli.run, pipeline.run            the program
"""
