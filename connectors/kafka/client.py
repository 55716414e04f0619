"""How a Kafka broker is reached: addresses, encryption, who we are."""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from connectors.redaction import redact_url
from pipeline.core.errors import ConfigError

Client = TypeVar("Client")

PROTOCOLS = {"plaintext": "PLAINTEXT", "ssl": "SSL", "sasl_ssl": "SASL_SSL"}
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")

RETRY_MAX_MS = 2000
"""A broker that is away is tried again at least this often, milliseconds."""


@dataclass(frozen=True, slots=True)
class Security:
    """How to speak to a broker; secrets are in the environment or in files, never here.

    Attributes:
        protocol: ``plaintext``, ``ssl`` or ``sasl_ssl``.
        allow_plaintext: Plain text to a broker on another machine.
        ca_file: Certificates that the broker's is checked against; None: those of the system.
        cert_file: Our certificate, for mutual TLS.
        key_file: Its key.
        key_password_env: Environment variable with the key's password.
        mechanism: Of SASL.
        username: Of SASL.
        password_env: Environment variable with the password of SASL.
        password_file: File with it; one of the two.
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
        ConfigError: If it has another form; begins with ``key``.
    """
    parts = urlsplit(uri)
    topic = parts.path.strip("/")
    if parts.scheme != "kafka" or not parts.netloc or not topic or "/" in topic or "@" in parts.netloc:
        raise ConfigError(
            f"{key}: expected kafka://host:9092/topic, got {redact_url(uri)}; "
            "correct the address, user and password are set by source.kafka.security"
        )
    return parts.netloc, topic, dict(parse_qsl(parts.query, keep_blank_values=True))


def client_options(servers: str, security: Mapping[str, object], key: str) -> dict[str, Any]:
    """Return what kafka-python's clients need to reach a broker.

    Args:
        servers: ``host:9092``, several with commas.
        security: As in ``Security``.
        key: Of the setting, for messages.

    Raises:
        ConfigError: If something is missing, unknown or not allowed; names the setting.
    """
    try:
        chosen = Security(**security)  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigError(f"{key}.security: {error}; see configs/source/kafka.yaml") from error
    if chosen.protocol not in PROTOCOLS:
        raise ConfigError(f"{key}.security.protocol: expected one of {', '.join(PROTOCOLS)}, got {chosen.protocol!r}")
    # What it has to say of a broker that is away, ours say once.
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
    """Return a client of kafka-python that has reached a broker.

    One that fails leaves nothing behind; by itself it would leave a thread that goes on trying.

    Args:
        kind: ``KafkaConsumer``, ``KafkaProducer`` or ``KafkaAdminClient``.
        options: Its own.

    Raises:
        KafkaError: If no broker answers.
    """
    opened: list[KafkaNetClient] = []

    def open_net(**configuration: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**configuration))
        return opened[-1]

    try:
        return kind(**options, kafka_client=open_net)
    except BaseException:
        for net in opened:
            net.close()
        raise


def close_producer(producer: KafkaProducer, *, timeout_s: float) -> None:
    """Close a producer, within ``timeout_s`` seconds or little more; what it holds then is not delivered.

    By itself it goes on for ever, in a thread, if the broker does not answer in time.
    """
    try:
        producer.close(timeout=timeout_s)
    except KafkaError:
        producer._sender.force_close()
        producer._sender.join(1.0)
        with suppress(KafkaError):
            producer.close(timeout=0)


def reason(error: KafkaError) -> str:
    """Return in few words what went wrong."""
    text = str(error).removeprefix(f"{type(error).__name__}: ").strip()
    return f"{type(error).__name__} ({text[:200]})" if text and text != type(error).__name__ else type(error).__name__


def _check_plaintext(servers: str, security: Security, key: str) -> None:
    far = [server for server in servers.split(",") if not _is_loopback(server)]
    if far and not security.allow_plaintext:
        raise ConfigError(
            f"{key}.security.protocol: expected ssl or sasl_ssl for {far[0]}, got plaintext; "
            "set it, or allow_plaintext=true where everybody on the network may read and write"
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
