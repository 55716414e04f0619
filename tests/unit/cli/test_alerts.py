import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kafka_broker import Broker
from plugins import ROOT

from connectors.sinks.kafka import KafkaSink
from pipeline.cli.alerts import main
from pipeline.core import Alert, AlertState, Severity, TrackId
from pipeline.ledger.codec import to_dict

pytestmark = pytest.mark.kafka

ALERT = Alert("dwell/4/4.5", "dwell", Severity.WARNING, 4, "east", 4.5, 6.0, "Stays.", (TrackId("east", 0, 1),))
OTHER = replace(ALERT, key="dwell/5/9.0", person_id=5)

Raise = Callable[..., None]


@pytest.fixture
def topic(broker: Broker) -> str:
    return f"{broker.make_topic()}.alerts"


@pytest.fixture
def post(broker: Broker, topic: str, tmp_path: Path) -> Raise:
    """Return a function that posts alerts as a run does."""

    def write(*alerts: Alert) -> None:
        sink = KafkaSink(
            servers=broker.servers,
            topics={"alerts": topic},
            outbox=str(tmp_path / "outbox.sqlite"),
            security={},
            partitions=4,
            replication=1,
            dead_letters=None,
            max_waiting=1000,
            open_timeout_s=1.0,
            flush_timeout_s=5.0,
        )
        sink.write(alerts)
        sink.flush()
        sink.close()

    return write


@pytest.fixture
def command(broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments[:1], "--servers", broker.servers, "--topic", topic, *arguments[1:]])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


Command = Callable[..., tuple[int, str, str]]


def standing(command: Command) -> dict[str, dict[str, object]]:
    code, out, _ = command("tail", "--once", "--json")
    assert code == 0
    return {alert["key"]: alert for alert in map(json.loads, out.splitlines())}


def test_an_operator_sees_the_newest_state_of_each_alert(post: Raise, command: Command) -> None:
    post(ALERT, OTHER, replace(ALERT, state=AlertState.AMENDED, message="Stays long."))
    alerts = standing(command)
    assert {key: alert["state"] for key, alert in alerts.items()} == {ALERT.key: "amended", OTHER.key: "raised"}
    assert alerts[OTHER.key] == {**to_dict(OTHER), "by": ""}


def test_an_acknowledged_alert_names_the_operator(post: Raise, command: Command) -> None:
    post(ALERT, OTHER)
    code, out, _ = command("ack", ALERT.key, "--by", "ann")
    assert code == 0
    assert "acknowledged: Stays." in out
    assert "acknowledged by 'ann'" in out
    alerts = standing(command)
    assert (alerts[ALERT.key]["state"], alerts[ALERT.key]["by"]) == ("acknowledged", "ann")
    assert alerts[OTHER.key]["state"] == "raised"


def test_acknowledging_again_writes_nothing_unless_somebody_else_takes_over(
    broker: Broker, topic: str, post: Raise, command: Command
) -> None:
    post(ALERT)
    again = "note: {} had acknowledged it before; nothing is written\n"
    notes = ["", again.format("ann"), "note: ann had acknowledged it; bob takes over\n", again.format("bob")]
    for name, note in zip(("ann", "ann", "bob", "bob"), notes, strict=True):
        code, _, error = command("ack", ALERT.key, "--by", name)
        assert (code, error) == (0, note)
    headers = [dict(message.headers) for message in broker.read(topic, 3)]  # an alert's own come from another partition
    assert [each["by"] for each in headers if "by" in each] == [b"ann", b"bob"]
    assert len(broker.read(topic)) == 3
    assert standing(command)[ALERT.key]["by"] == "bob"


def test_an_acknowledgement_holds_when_the_alert_is_amended(post: Raise, command: Command) -> None:
    post(ALERT)
    command("ack", ALERT.key, "--by", "ann")
    post(replace(ALERT, state=AlertState.AMENDED, message="Stayed until 9.5 s.", ended_at=9.5))
    there = standing(command)[ALERT.key]
    assert (there["state"], there["by"], there["message"]) == ("acknowledged", "ann", "Stayed until 9.5 s.")


def test_an_acknowledgement_survives_compaction(broker: Broker, topic: str, post: Raise, command: Command) -> None:
    post(ALERT)
    command("ack", ALERT.key, "--by", "ann")
    post(replace(ALERT, state=AlertState.AMENDED, message="Stayed."))
    newest = {message.key: message for message in broker.read(topic, 3)}
    compacted = broker.make_topic()
    broker.write(compacted, [(key, message.value, message.headers) for key, message in newest.items()])
    code, out, _ = command("tail", "--once", "--json", "--topic", compacted)
    there = json.loads(out.splitlines()[-1])
    assert (code, there["state"], there["by"], there["message"]) == (0, "acknowledged", "ann", "Stayed.")


def test_a_program_may_acknowledge_under_the_key_of_the_alert(
    broker: Broker, topic: str, post: Raise, command: Command
) -> None:
    post(ALERT)
    value = json.dumps(to_dict(replace(ALERT, state=AlertState.ACKNOWLEDGED))).encode()
    broker.write(topic, [(ALERT.key.encode(), value, [("by", b"desk")])])
    post(replace(ALERT, state=AlertState.AMENDED))
    assert standing(command)[ALERT.key]["by"] == "desk"


def test_an_acknowledged_alert_can_be_retracted(post: Raise, command: Command) -> None:
    post(ALERT)
    command("ack", ALERT.key, "--by", "ann")
    post(replace(ALERT, state=AlertState.RETRACTED))
    assert standing(command)[ALERT.key]["state"] == "retracted"
    code, _, error = command("ack", ALERT.key)
    assert code == 1
    assert "one that was retracted" in error


@pytest.mark.parametrize("is_compacted", [False, True])
def test_an_acknowledgement_is_not_of_an_alert_that_was_retracted_and_raised_again(
    broker: Broker, topic: str, post: Raise, command: Command, is_compacted: bool
) -> None:
    post(ALERT)
    command("ack", ALERT.key, "--by", "ann")
    post(replace(ALERT, state=AlertState.RETRACTED, revision=2), replace(ALERT, revision=3))
    newest = {message.key: message for message in broker.read(topic, 4)}
    if is_compacted:
        topic = broker.make_topic()
        broker.write(topic, [(key, message.value, message.headers) for key, message in newest.items()])
    code, out, _ = command("tail", "--once", "--json", "--topic", topic)
    there = json.loads(out.splitlines()[-1])
    assert (code, there["state"], there["by"]) == (0, "raised", "")


def test_an_alert_that_was_not_raised_cannot_be_acknowledged(post: Raise, command: Command) -> None:
    post(ALERT)
    code, _, error = command("ack", "dwell/99/1.0")
    assert code == 1
    assert error.startswith("error: ")
    assert "dwell/99/1.0" in error


STRANGE = [b"", b"\xff\xfe", b"[" * 100_000, b'{"schema": 2}', b"null", json.dumps(to_dict(OTHER)).encode()]


def test_messages_that_are_no_alerts_are_skipped(broker: Broker, topic: str, post: Raise, command: Command) -> None:
    post(ALERT)
    broker.write(topic, [(b"strange%d" % number, value, []) for number, value in enumerate(STRANGE)])
    post(replace(ALERT, state=AlertState.AMENDED))
    assert {key: alert["state"] for key, alert in standing(command).items()} == {ALERT.key: "amended"}


def test_a_missing_topic_is_an_error_that_says_so(command: Command) -> None:
    code, _, error = command("tail", "--once")
    assert code == 2
    assert "no topic" in error


def test_plain_text_to_another_machine_is_refused() -> None:
    assert main(["tail", "--servers", "kafka.example:9092"]) == 2


def accept_interrupts() -> None:
    # Tests in the background of a script ignore interrupts, and so do the processes that they start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_tail_shows_alerts_as_they_arrive(broker: Broker, topic: str, post: Raise) -> None:
    post(ALERT)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli.alerts", "tail", "--servers", broker.servers, "--topic", topic, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=accept_interrupts,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["key"] == ALERT.key
    post(OTHER)
    assert json.loads(process.stdout.readline())["key"] == OTHER.key
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()
