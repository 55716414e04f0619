"""What a message advises works as it is printed, and every command takes the words that it advises."""

import os
import subprocess
from pathlib import Path

import pytest
from apache_kafka import KEY_PASSWORD, USERS, ApacheKafka, kafka_home
from kafka.admin import ACLOperation, ResourceType
from kafka_sink import sink_options
from kafka_source import open_source

from connectors.sinks.kafka import KafkaSink
from pipeline.cli import alerts, publish
from pipeline.cli.installation import doctor
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka: ApacheKafka) -> str:
    name = f"advice.{os.urandom(4).hex()}"
    with kafka.admin() as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    return name


def words(security: dict[str, object]) -> list[str]:
    return [f"source.kafka.security.{key}={value}" for key, value in security.items()]


def run_advice(kafka: ApacheKafka, said: str, folder: Path) -> None:
    """Run the command in a message as an administrator would."""
    command = "kafka-acls.sh " + said.split("kafka-acls.sh ", 1)[1].split(" grants it")[0]
    (folder / "admin.properties").write_text(
        "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nssl.truststore.type=PEM\n"
        f"ssl.truststore.location={kafka.ca_file}\n"
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="admin" password="{USERS["admin"]}";\n'
    )
    script = folder / "kafka-acls.sh"
    script.write_text(
        f'exec java -XX:TieredStopAtLevel=1 -cp "{kafka_home()}/libs/*" org.apache.kafka.tools.AclCommand "$@"\n'
    )
    script.chmod(0o755)
    subprocess.run(
        f"PATH=$PWD:$PATH; {command}", shell=True, executable="/bin/bash", cwd=folder, check=True, capture_output=True
    )


def test_the_command_that_a_refusal_prints_gives_the_right(kafka: ApacheKafka, topic: str, tmp_path: Path) -> None:
    source = open_source(kafka.sasl_servers, topic, kafka.sasl_security("reader"))
    with pytest.raises(ConfigError, match="user reader may not Describe") as refused:
        source.check()
    run_advice(kafka, str(refused.value), tmp_path)
    source.check()


def test_the_command_names_the_user_for_a_group_for_creating_and_for_writing(
    kafka: ApacheKafka, topic: str, tmp_path: Path
) -> None:
    kafka.allow("reader", ResourceType.TOPIC, topic, ACLOperation.READ, ACLOperation.DESCRIBE)
    security = kafka.sasl_security("reader")
    with pytest.raises(ConfigError, match=f"--allow-principal User:reader --operation Read --group {topic} grants it"):
        open_source(kafka.sasl_servers, topic, security, group=topic).check()
    kafka.allow("reader", ResourceType.TOPIC, f"{topic}.new", ACLOperation.DESCRIBE)
    flags = "--operation Write --operation Describe --operation Create"
    for name, needs in ((f"{topic}.new", flags), (topic, "--operation Write --operation Describe")):
        options = sink_options(kafka.sasl_servers, name, tmp_path, security)
        with pytest.raises(ConfigError, match=f"--allow-principal User:reader {needs} --topic {name} grants it"):
            KafkaSink.check(**options)  # type: ignore[arg-type]


def test_the_subject_of_a_certificate_is_the_user(kafka: ApacheKafka, topic: str) -> None:
    from connectors.kafka.client import client_options
    from connectors.kafka.preflight import Client

    options = client_options(kafka.tls_servers, kafka.tls_security(), "test")
    shown = subprocess.run(
        f"printf %s {Client.of(options).grant.split('--allow-principal ')[1]}",
        shell=True, executable="/bin/bash", check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert KEY_PASSWORD not in Client.of(options).grant
    assert shown == "User:CN=client"


def test_the_doctor_enters_as_a_run_does_and_says_why_it_cannot(
    kafka: ApacheKafka, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(servers: str, *overrides: str) -> str:
        (finding,) = doctor.broker(servers, overrides)
        return finding.text

    right = words(kafka.sasl_security("admin", "PLAIN"))
    assert "the port speaks TLS, security.protocol says plaintext" in told(kafka.sasl_servers)
    assert f"{kafka.sasl_servers} answers" in told(kafka.sasl_servers, *right)
    wrong = words(kafka.sasl_security("admin", "PLAIN", password="wrong-secret"))
    assert "authentication failed for user admin; check name and password" in told(kafka.sasl_servers, *wrong)
    assert "expected ssl or sasl_ssl for kafka.example.org:9092" in told("kafka.example.org:9092")
    assert "source.kafka.security.protocoll" in told(kafka.servers, "source.kafka.security.protocoll=ssl")
    doctor.main([right[0], "--broker", kafka.sasl_servers, *right[1:]])
    assert f"{kafka.sasl_servers} answers" in " ".join(capsys.readouterr().out.split())


def test_words_of_the_configuration_may_stand_anywhere(
    kafka: ApacheKafka, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    security = words(kafka.sasl_security("admin", "PLAIN"))
    servers = ["--servers", kafka.sasl_servers]
    for order in (
        ["ack", "dwell/4/4.5", "--by", "ann", "--topic", topic, *servers, *security],
        ["ack", "dwell/4/4.5", *security, "--by", "ann", *servers, "--topic", topic],
        ["ack", security[0], "--topic", topic, *security[1:3], *servers, "dwell/4/4.5", *security[3:]],
    ):
        assert alerts.main(order) == 1
        assert "expected an open alert dwell/4/4.5, got none" in capsys.readouterr().err
    clip = tmp_path / "none.mp4"
    order = [security[0], "--camera", "east", *security[1:3], "--source", str(clip), *security[3:]]
    assert publish.main(order) == 2
    assert str(clip) in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        alerts.main(["ack", "dwell/4/4.5", "--buy", "ann"])
    assert "unrecognized arguments: --buy" in capsys.readouterr().err
