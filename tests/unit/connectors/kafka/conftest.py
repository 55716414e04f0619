"""Apache Kafka with listeners for TLS and SASL, and with ACLs."""

import pytest
from apache_kafka import KEY_PASSWORD, ApacheKafka
from kafka_broker import Broker


@pytest.fixture
def kafka(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> ApacheKafka:
    """Apache Kafka with its guarded listeners."""
    if broker.apache is None or not broker.apache.is_guarded:
        pytest.skip("needs Apache Kafka of the tests: KAFKA_HOME, or the development material, and Java")
    monkeypatch.setenv("CLIENT_KEY_PASSWORD", KEY_PASSWORD)
    return broker.apache
