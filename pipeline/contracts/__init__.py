"""What every plug-in must do, as tests: those of ``pipeline/core/interfaces.py``, for plug-ins of any package.

::

    pytest -p pipeline.contracts.plugin --pyargs pipeline.contracts --plugin detector=mine --config-dir ~/passerby

Each ``test_….py`` tests one kind. It asks for a fixture ``factory``, the constructor call of a plug-in: that of one
in a configuration is made by ``pipeline/contracts/plugin.py``, those of ``configs/`` by ``tests/contracts``.
"""
