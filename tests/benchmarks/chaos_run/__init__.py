"""The parts of the chaos test: ``tests/benchmarks/chaos.py``."""
