"""Tests that read from Kafka or write to it run with every kind of broker that is here."""

import pytest
from kafka_broker import kinds


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each kind; one of users and rights (``kafka``) with Apache Kafka alone."""
    if "broker" in metafunc.fixturenames and "kafka" not in metafunc.fixturenames:
        metafunc.parametrize("broker", kinds(), indirect=True, scope="session")
