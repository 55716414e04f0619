"""How a Kafka broker is reached: addresses, encryption, authentication."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from kafka import KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.compat import KafkaNetClient

from connectors.kafka.probe import answering
from connectors.redaction import redact_url
from pipeline.core.errors import ConfigError

Answer = TypeVar("Answer")
Client = TypeVar("Client")

PROTOCOLS = {"plaintext": "PLAINTEXT", "ssl": "SSL", "sasl_ssl": "SASL_SSL"}
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")

RETRY_MAX_MS = 2000
"""Milliseconds between two attempts to reach a broker, at most. Larger values delay the recovery from an outage."""

MAX_ASKED = 6
ASK_AGAIN_S = 0.3
"""Brokers that are asked one after the other, and seconds between. More wait longer for a cluster that is down."""


@dataclass(frozen=True, slots=True)
class Security:
    """How to connect to a broker. Secrets are in the environment or in files, never here.

    Attributes:
        protocol: ``plaintext``, ``ssl`` or ``sasl_ssl``.
        allow_plaintext: Allows plain text to a broker on another machine.
        ca_file: Certificates to verify the broker's certificate with; None: those of the system.
        cert_file: The client's certificate, for mutual TLS.
        key_file: The key of ``cert_file``.
        key_password_env: Environment variable that holds the password of ``key_file``.
        mechanism: SASL mechanism, one of ``MECHANISMS``.
        username: SASL user.
        password_env: Environment variable that holds the SASL password, or
        password_file: a file that holds it.
    """

    protocol: str = "plaintext"
    allow_plaintext: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password_env: str | None = None
    mechanism: str | None = None
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None


def split_uri(uri: str, key: str) -> tuple[str, str, dict[str, str]]:
    """Return brokers, topic and options of ``kafka://host:9092,host:9092/topic?name=value``.

    Raises:
        ConfigError: If it has another form. The message begins with ``key`` and shows no password.
    """
    parts = urlsplit(uri)
    topic = parts.path.strip("/")
    if parts.scheme != "kafka" or not parts.netloc or not topic or "/" in topic or "@" in parts.netloc:
        raise ConfigError(
            f"{key}: expected kafka://host:9092/topic, got {redact_url(uri)}; "
            "correct the address; set user and password in source.kafka.security"
        )
    return parts.netloc, topic, dict(parse_qsl(parts.query, keep_blank_values=True))


def client_options(servers: str, security: Mapping[str, object], key: str) -> dict[str, Any]:
    """Return the options that kafka-python's clients need to reach a broker.

    Args:
        servers: ``host:9092``, several separated by commas.
        security: Fields of ``Security``.
        key: The key of the setting, for messages.

    Raises:
        ConfigError: If a setting is missing, unknown or not allowed. The message names it.
    """
    try:
        chosen = Security(**security)  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigError(f"{key}.security: {error}; see configs/source/kafka.yaml") from error
    if chosen.protocol not in PROTOCOLS:
        raise ConfigError(f"{key}.security.protocol: expected one of {', '.join(PROTOCOLS)}, got {chosen.protocol!r}")
    # kafka-python logs every failed attempt to reach a broker. The connectors report an outage once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {
        "bootstrap_servers": servers.split(","),
        "security_protocol": PROTOCOLS[chosen.protocol],
        "reconnect_backoff_max_ms": RETRY_MAX_MS,
    }
    if chosen.protocol == "plaintext":
        _check_plaintext(servers, chosen, key)
        return options
    for name, path in (("ca_file", chosen.ca_file), ("cert_file", chosen.cert_file), ("key_file", chosen.key_file)):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{key}.security.{name}: expected a file, got {path}; correct the path")
        options["ssl_" + name.replace("_", "")] = path
    if chosen.key_password_env is not None:
        options["ssl_password"] = _from_environment(chosen.key_password_env, f"{key}.security.key_password_env")
    if chosen.protocol == "sasl_ssl":
        options |= _sasl_options(chosen, key)
    return options


def connect(kind: Callable[..., Client], options: Mapping[str, Any]) -> Client:
    """Return a client of kafka-python that has reached a broker, one of those that answer.

    After a failure nothing is left behind. Without this, kafka-python leaves a thread that keeps trying.

    Args:
        kind: ``KafkaConsumer``, ``KafkaProducer`` or ``KafkaAdminClient``.
        options: Options of the client.

    Raises:
        KafkaError: If no broker answers.
    """
    opened: list[KafkaNetClient] = []
    servers = options["bootstrap_servers"]
    chosen = {**options, "bootstrap_servers": servers if isinstance(servers, str) else answering(options)}

    def open_net(**configuration: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**configuration))
        return opened[-1]

    try:
        return kind(**chosen, kafka_client=open_net)
    except BaseException:
        for net in opened:
            net.close()
        raise


def ask(question: Callable[[], Answer]) -> Answer:
    """Return the answer of a cluster to a question that any of its brokers can answer.

    kafka-python asks a broker at random, and gives up if that one is down although the others answer.

    Raises:
        KafkaError: As the question, if no broker can be reached, or one refuses.
    """
    for _ in range(MAX_ASKED - 1):
        try:
            return question()
        except KafkaConnectionError:
            time.sleep(ASK_AGAIN_S)
    return question()


def close_producer(producer: KafkaProducer, *, timeout_s: float) -> None:
    """Close a producer within about ``timeout_s`` seconds; messages that it still holds are not delivered.

    Without this, its thread runs forever if the broker does not answer in time.
    """
    try:
        producer.close(timeout=timeout_s)
    except KafkaError:
        producer._sender.force_close()
        producer._sender.join(1.0)
        with suppress(KafkaError):
            producer.close(timeout=0)


def reason(error: KafkaError) -> str:
    """Return a short description of an error."""
    text = str(error).removeprefix(f"{type(error).__name__}: ").strip()
    return f"{type(error).__name__} ({text[:200]})" if text and text != type(error).__name__ else type(error).__name__


def _check_plaintext(servers: str, security: Security, key: str) -> None:
    far = [server for server in servers.split(",") if not _is_loopback(server)]
    if far and not security.allow_plaintext:
        raise ConfigError(
            f"{key}.security.protocol: expected ssl or sasl_ssl for {far[0]}, got plaintext; "
            "set it, or allow_plaintext=true on a network where every machine may read and write"
        )


def _is_loopback(server: str) -> bool:
    host = server.rsplit(":", 1)[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _sasl_options(security: Security, key: str) -> dict[str, Any]:
    if security.mechanism not in MECHANISMS:
        raise ConfigError(
            f"{key}.security.mechanism: expected one of {', '.join(MECHANISMS)}, got {security.mechanism!r}"
        )
    if not security.username:
        raise ConfigError(f"{key}.security.username: expected a name, got none; set it")
    return {
        "sasl_mechanism": security.mechanism,
        "sasl_plain_username": security.username,
        "sasl_plain_password": _password(security, key),
    }


def _password(security: Security, key: str) -> str:
    if (security.password_env is None) == (security.password_file is None):
        raise ConfigError(f"{key}.security: expected either password_env or password_file; set one of them")
    if security.password_env is not None:
        return _from_environment(security.password_env, f"{key}.security.password_env")
    assert security.password_file is not None
    try:
        password = Path(security.password_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{key}.security.password_file: expected a text file, got {type(error).__name__} for "
            f"{security.password_file}; correct it"
        ) from error
    if not password:
        raise ConfigError(f"{key}.security.password_file: expected a password, got an empty file")
    return password


def _from_environment(name: str, key: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"{key}: expected a secret in the environment variable {name}, got nothing; set it")
    return value
