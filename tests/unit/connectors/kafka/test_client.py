from pathlib import Path

import pytest
from kafka_source import NODE

from connectors.kafka.client import client_options, split_uri
from pipeline.config.plugins import build_source
from pipeline.core.errors import ConfigError

SECRET = "hunter2"


def options(servers: str = "kafka.example:9093", **security: object) -> dict[str, object]:
    return client_options(servers, security, "sink.kafka")


def test_plain_text_is_allowed_on_this_machine() -> None:
    for servers in ("127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.0.0.1:1,127.0.0.2:2"):
        assert options(servers)["security_protocol"] == "PLAINTEXT"


@pytest.mark.parametrize(
    "servers", ["10.0.0.1:9092", "kafka.example:9092", "127.0.0.1:1,kafka.example:9092", "localhost.example:1"]
)
def test_plain_text_to_another_machine_must_be_allowed(servers: str) -> None:
    with pytest.raises(ConfigError, match=r"sink\.kafka\.security\.protocol: expected ssl or sasl_ssl"):
        options(servers)
    assert options(servers, allow_plaintext=True)["security_protocol"] == "PLAINTEXT"


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", SECRET)
    made = options(protocol="sasl_ssl", mechanism="SCRAM-SHA-512", username="passerby", password_env="BROKER_PASSWORD")
    assert made["security_protocol"] == "SASL_SSL"
    assert (made["sasl_mechanism"], made["sasl_plain_username"]) == ("SCRAM-SHA-512", "passerby")
    assert made["sasl_plain_password"] == SECRET


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    made = options(protocol="sasl_ssl", mechanism="PLAIN", username="passerby", password_file=str(path))
    assert made["sasl_plain_password"] == SECRET


def test_mutual_tls_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_PASSWORD", SECRET)
    files = {name: str(tmp_path / name) for name in ("ca_file", "cert_file", "key_file")}
    for path in files.values():
        Path(path).touch()
    made = options(protocol="ssl", **files, key_password_env="KEY_PASSWORD")
    assert (made["ssl_cafile"], made["ssl_certfile"], made["ssl_keyfile"]) == tuple(files.values())
    assert made["ssl_password"] == SECRET


@pytest.mark.parametrize(
    ("security", "named"),
    [
        ({"protocol": "tls"}, "protocol"),
        ({"protocl": "ssl"}, "protocl"),
        ({"protocol": "ssl", "ca_file": "/nowhere/ca.pem"}, "ca_file"),
        ({"protocol": "sasl_ssl"}, "mechanism"),
        ({"protocol": "sasl_ssl", "mechanism": "GSSAPI"}, "mechanism"),
        ({"protocol": "sasl_ssl", "mechanism": "PLAIN"}, "username"),
        ({"protocol": "sasl_ssl", "mechanism": "PLAIN", "username": "a"}, "password_env or password_file"),
        ({"protocol": "sasl_ssl", "mechanism": "PLAIN", "username": "a", "password_env": "NOT_SET"}, "NOT_SET"),
        ({"protocol": "sasl_ssl", "mechanism": "PLAIN", "username": "a", "password_file": "/nowhere"}, "/nowhere"),
    ],
)
def test_a_missing_or_unknown_setting_is_named(security: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        options(**security)


def test_a_uri_holds_brokers_topic_and_options() -> None:
    assert split_uri("kafka://a:1,b:2/frames?camera=east", "x") == ("a:1,b:2", "frames", {"camera": "east"})


@pytest.mark.parametrize("uri", ["kafka://", "kafka://host:1", "kafka://host:1/a/b", f"kafka://ann:{SECRET}@host:1/a"])
def test_the_refusal_of_a_uri_does_not_show_its_password(uri: str) -> None:
    with pytest.raises(ConfigError, match="expected kafka://host:9092/topic") as caught:
        split_uri(uri, "site.cameras.east")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "options", "named"),
    [
        ("?partition=one", {}, "partition"),
        ("?cmaera=east", {}, "cmaera"),
        ("", {"start": "yesterday"}, "start"),
        ("", {"start": -3}, "start"),
        ("", {"security": {"protocol": "ssl", "key_file": "/nowhere"}}, "key_file"),
    ],
)
def test_wrong_options_of_a_source_are_refused_before_it_is_opened(
    query: str, options: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=rf"site\.cameras\.east.*{named}"):
        build_source("east", {"uri": f"kafka://127.0.0.1:1/frames{query}", **options}, NODE)()  # type: ignore[arg-type]
