"""A broker that accepts clients only with a certificate, or only with a password."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import Authority
from clips import picture
from factories import make_sighting, make_stamp
from kafka_broker import Broker
from kafka_source import make_source
from sasl_gate import MECHANISMS, SaslGate
from tcp_proxy import TcpProxy

from connectors.kafka.client import client_options
from connectors.kafka.frame_publisher import FramePublisher
from connectors.pictures.encoded_image import Encoding
from connectors.sinks.kafka import KafkaSink
from pipeline.core import Frame
from pipeline.core.errors import ConfigError, ConnectorError, SinkBusyError

pytestmark = pytest.mark.kafka

PASSWORD = "hunter2"


@dataclass(frozen=True)
class Guarded:
    """A broker behind TLS, and the settings that a client needs."""

    broker: Broker
    servers: str
    security: dict[str, object]


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    authority = Authority(tmp_path, "authority")
    server, client = authority.sign("server"), authority.sign("client", PASSWORD)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("CLIENT_KEY_PASSWORD", PASSWORD)
    security: dict[str, object] = {
        "protocol": "ssl",
        "ca_file": str(authority.path),
        "cert_file": str(client.cert),
        "key_file": str(client.key),
        "key_password_env": "CLIENT_KEY_PASSWORD",
    }
    with TcpProxy(context) as proxy, Broker(advertised=proxy.address) as broker:
        proxy.target = broker.servers
        yield Guarded(broker, proxy.address, security)


def make_sink(guarded: Guarded, topic: str, folder: Path, security: dict[str, object]) -> KafkaSink:
    return KafkaSink(
        servers=guarded.servers,
        topics={"sightings": topic},
        outbox=str(folder / "outbox.sqlite"),
        security=security,
        partitions=1,
        replication=1,
        max_waiting=10,
        open_timeout_s=2.0,
        flush_timeout_s=5.0,
    )


@dataclass(frozen=True)
class Address:
    """The attribute of a broker that ``make_source`` reads."""

    servers: str


def assert_frames_and_events_pass(guarded: Guarded, tmp_path: Path) -> None:
    # The broker advertises its TLS address, so every connection goes through the proxy.
    sink = make_sink(guarded, "events", tmp_path, guarded.security)
    sink.write([make_sighting()])
    sink.flush()
    sink.close()
    client = client_options(guarded.servers, guarded.security, "test")
    publisher = FramePublisher(
        client,
        "events",
        camera_id="east",
        partition=None,
        encoding=Encoding.PNG,
        quality=90,
        max_bytes=None,
    )
    for index in range(5):
        publisher.publish(Frame(make_stamp(index=index), picture(index)))
    publisher.end(make_stamp(index=4))
    publisher.flush()
    publisher.close()
    source = make_source(Address(guarded.servers), "events", security=guarded.security)  # type: ignore[arg-type]
    source.check()
    assert [frame.stamp.index for frame in source.frames()] == [0, 1, 2, 3, 4]


def test_frames_and_events_pass_through_mutual_tls(guarded: Guarded, tmp_path: Path) -> None:
    assert_frames_and_events_pass(guarded, tmp_path)


@pytest.fixture
def gate() -> SaslGate:
    return SaslGate("passerby", PASSWORD)


@pytest.fixture(params=MECHANISMS)
def by_password(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: SaslGate
) -> Iterator[Guarded]:
    authority = Authority(tmp_path, "authority")
    server = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    monkeypatch.setenv("BROKER_PASSWORD", PASSWORD)
    security: dict[str, object] = {
        "protocol": "sasl_ssl",
        "ca_file": str(authority.path),
        "mechanism": request.param,
        "username": "passerby",
        "password_env": "BROKER_PASSWORD",
    }
    with TcpProxy(context, gate) as proxy, Broker(advertised=proxy.address) as broker:
        proxy.target = broker.servers
        yield Guarded(broker, proxy.address, security)


def test_frames_and_events_pass_with_a_password(by_password: Guarded, gate: SaslGate, tmp_path: Path) -> None:
    assert_frames_and_events_pass(by_password, tmp_path)
    assert set(gate.entered) == {by_password.security["mechanism"]}
    assert gate.num_refused == 0


@pytest.mark.parametrize("wrong", [{"username": "stranger"}, {"password_env": "WRONG_PASSWORD"}], ids=["user", "word"])
def test_a_wrong_password_is_reported_at_once_and_not_shown(
    by_password: Guarded, gate: SaslGate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
) -> None:
    monkeypatch.setenv("WRONG_PASSWORD", "hunter3")
    security = {**by_password.security, **wrong}
    source = make_source(Address(by_password.servers), "frames", security=security, open_timeout_s=2.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected a topic at") as caught:
        source.check()
    assert "hunter" not in str(caught.value)
    sink = make_sink(by_password, "sightings", tmp_path, security)
    sink.write([make_sighting()])
    with pytest.raises((ConnectorError, SinkBusyError)) as refused:
        sink.flush()
    assert "hunter" not in str(refused.value)
    sink.close()
    assert gate.entered == []
    assert gate.num_refused > 0


@pytest.mark.parametrize(
    "left_out", [("cert_file", "key_file", "key_password_env"), ("ca_file",)], ids=["no certificate", "no authority"]
)
def test_a_client_without_its_certificates_is_refused(
    guarded: Guarded, tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    security = {name: value for name, value in guarded.security.items() if name not in left_out}
    source = make_source(Address(guarded.servers), "frames", security=security, open_timeout_s=1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected a topic at") as caught:
        source.check()
    assert PASSWORD not in str(caught.value)
    sink = make_sink(guarded, "sightings", tmp_path, security)
    sink.write([make_sighting()])
    with pytest.raises(SinkBusyError) as busy:
        sink.flush()
    assert PASSWORD not in str(busy.value)
    sink.close()


def test_plain_text_is_refused(guarded: Guarded) -> None:
    source = make_source(Address(guarded.servers), "frames", security={}, open_timeout_s=1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected a topic at"):
        source.check()
