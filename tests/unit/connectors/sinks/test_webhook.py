import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from factories import make_sighting
from webhook_receiver import Answer, Receiver

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.sinks import webhook
from connectors.sinks.webhook import WebhookSink
from pipeline.core import Alert, AlertState, Severity, TrackId, TrackPart
from pipeline.core.errors import ConfigError, SinkBusyError


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "FIRST_RETRY_S", 0.05)


@pytest.fixture
def sinks() -> Iterator[list[WebhookSink]]:
    opened: list[WebhookSink] = []
    yield opened
    for sink in opened:
        sink.close()


def make_sink(
    sinks: list[WebhookSink],
    url: str,
    secret_env: str | None = None,
    max_waiting: int = 0,
    min_severity: str = "info",
    **options: Any,
) -> WebhookSink:
    needed = {"secret_env": secret_env, "timeout_s": 2, "max_waiting": max_waiting, "min_severity": min_severity}
    sinks.append(WebhookSink(url=url, **needed, **options))
    return sinks[-1]


def make_alert(number: int = 1, severity: Severity = Severity.WARNING) -> Alert:
    return Alert(f"dwell/{number}/4.5", "dwell", severity, number, "east", 4.5, 6.0, "Stays.", ())


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_every_alert_is_one_json_post(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    sink.write([make_alert(1), make_sighting(), make_alert(2)])
    sink.flush()
    assert [body["person_id"] for body in receiver.taken] == [1, 2]
    path, headers, _ = receiver.requests[0]
    assert path == "/hook?token=geheim"
    assert headers["Content-Type"] == "application/json"
    assert sink.num_delivered == 2


def test_the_signature_verifies(receiver: Receiver, sinks: list[WebhookSink], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    make_sink(sinks, receiver.url, secret_env="HOOK_SECRET").write([make_alert()])
    _, headers, body = receiver.requests[0]
    expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["X-Passerby-Signature"] == f"sha256={expected}"


def test_without_a_secret_there_is_no_signature(receiver: Receiver, sinks: list[WebhookSink]):
    make_sink(sinks, receiver.url).write([make_alert()])
    assert "X-Passerby-Signature" not in receiver.requests[0][1]


def test_a_500_then_a_200_delivers_once(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    receiver.answers = [Answer(500)]
    with pytest.raises(SinkBusyError) as busy:
        sink.write([make_alert()])
    time.sleep(busy.value.retry_after_s)
    sink.write([make_alert()])
    sink.flush()
    assert len(receiver.taken) == 1
    assert len({headers["X-Passerby-Delivery"] for _, headers, _ in receiver.requests}) == 1


def test_delivered_alerts_of_a_batch_are_not_sent_again_with_it(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    batch = [make_alert(number) for number in range(1, 5)]
    receiver.answers = [Answer(200), Answer(200), Answer(503)]
    with pytest.raises(SinkBusyError) as busy:
        sink.write(batch)
    time.sleep(busy.value.retry_after_s)
    sink.write(batch)
    assert [body["person_id"] for body in receiver.taken] == [1, 2, 3, 4]


def test_a_state_that_comes_again_after_another_is_sent_again(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    over = replace(make_alert(), state=AlertState.AMENDED, ended_at=8.0)
    states = [make_alert(), over, replace(over, ended_at=None), over]
    numbered = [replace(alert, revision=number) for number, alert in enumerate(states, start=1)]
    for alert in (*numbered, numbered[-1], numbered[0]):
        sink.write([alert])
    assert [body["ended_at"] for body in receiver.taken] == [None, 8.0, None, 8.0]


def test_waiting_alerts_are_sent_in_order_by_a_later_flush(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url, max_waiting=2)
    receiver.answers = [Answer(500)]
    sink.write([make_alert(1)])
    sink.write([make_alert(2)])
    with pytest.raises(SinkBusyError) as busy:
        sink.flush()
    with pytest.raises(SinkBusyError):
        sink.write([make_alert(3)])
    time.sleep(busy.value.retry_after_s)
    sink.write([make_alert(3)])
    sink.flush()
    assert [body["person_id"] for body in receiver.taken] == [1, 2, 3]


def test_writing_a_batch_again_after_a_failed_flush_sends_it_once(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url, max_waiting=10)
    batch = [make_alert(1), make_alert(2)]
    receiver.answers = [Answer(200), Answer(500)]
    sink.write(batch)
    with pytest.raises(SinkBusyError) as busy:
        sink.flush()
    time.sleep(busy.value.retry_after_s)
    sink.write(batch)
    sink.flush()
    assert [body["person_id"] for body in receiver.taken] == [1, 2]


def test_the_wait_for_a_receiver_that_is_down_doubles(sinks: list[WebhookSink]):
    sink = make_sink(sinks, f"http://127.0.0.1:{closed_port()}/")
    waits = []
    for _ in range(3):
        with pytest.raises(SinkBusyError, match="ConnectError") as busy:
            sink.write([make_alert()])
        waits.append(busy.value.retry_after_s)
        time.sleep(waits[-1])
    assert waits == [0.05, 0.1, 0.2]


def test_nothing_is_tried_before_the_wait_is_over(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    receiver.answers = [Answer(429, (("Retry-After", "30"),))]
    with pytest.raises(SinkBusyError) as first:
        sink.write([make_alert()])
    with pytest.raises(SinkBusyError) as second:
        sink.write([make_alert()])
    assert first.value.retry_after_s == 30
    assert 29 < second.value.retry_after_s < 30
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        ("7", 7),
        (timedelta(seconds=1800), 1800),
        ("99999999", webhook.MAX_RETRY_AFTER_S),
        (timedelta(days=-1), 0),
        ("soon", 0.05),
    ],
)
def test_retry_after_is_honoured(
    receiver: Receiver, sinks: list[WebhookSink], header: str | timedelta, expected_s: float
):
    sink = make_sink(sinks, receiver.url)
    if isinstance(header, timedelta):
        header = format_datetime(datetime.now(UTC) + header)
    receiver.answers = [Answer(503, (("Retry-After", header),))]
    with pytest.raises(SinkBusyError) as busy:
        sink.write([make_alert()])
    assert busy.value.retry_after_s == pytest.approx(expected_s, abs=10 if expected_s == 1800 else 0)


def test_a_400_drops_the_alert_counts_it_and_is_logged_once(
    receiver: Receiver, sinks: list[WebhookSink], caplog: pytest.LogCaptureFixture
):
    sink = make_sink(sinks, receiver.url)
    receiver.answers = [Answer(400, body=b"no field 'text',\n your token=geheim") for _ in range(2)]
    sink.write([make_alert(1), make_alert(2), make_alert(3)])
    assert [body["person_id"] for body in receiver.taken] == [3]
    assert sink.num_dropped == 2
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    said = "no field 'text', your token=***"
    why = f"127.0.0.1 answers 400 Bad Request, it refuses the request: {said!r}; correct what it asks for"
    assert [error.getMessage() for error in errors] == [f"webhook: {why}; such alerts are dropped"]
    assert sink.report().why_given_up == why


def test_a_redirect_is_not_followed(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    receiver.answers = [Answer(302, (("Location", receiver.url),))]
    sink.write([make_alert()])
    assert len(receiver.requests) == 1
    assert sink.num_dropped == 1
    assert "answers 302 Found, and another address is not followed; give" in sink.report().why_given_up


def test_the_run_is_named_because_keys_are_those_of_one_run(
    receiver: Receiver, sinks: list[WebhookSink], tmp_path: Path
):
    for name in ("north", "süd 1"):
        make_sink(sinks, receiver.url, output_dir=str(tmp_path / name), cloudevents=True).write([make_alert()])
    make_sink(sinks, receiver.url).write([make_alert()])
    runs = [headers.get("X-Passerby-Run") for _, headers, _ in receiver.requests]
    assert runs == ["north", "s%C3%BCd%201", None]
    sources = [headers.get("ce-source") for _, headers, _ in receiver.requests]
    assert sources == ["/passerby/north", "/passerby/s%C3%BCd%201", None]


def test_each_reason_for_which_alerts_were_refused_is_named(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url)
    receiver.answers = [Answer(302), Answer(400, body=b"no"), Answer(400, body=b"neither")]
    sink.write([make_alert(1), make_alert(2), make_alert(3)])
    why = sink.report().why_given_up
    assert "answers 302 Found" in why
    assert "answers 400 Bad Request, it refuses the request: 'neither'" in why
    assert "'no'" not in why


def test_less_severe_alerts_are_not_sent(receiver: Receiver, sinks: list[WebhookSink]):
    sink = make_sink(sinks, receiver.url, min_severity="warning")
    sink.write([make_alert(number, severity) for number, severity in enumerate(Severity)])
    assert [body["severity"] for body in receiver.taken] == ["warning", "critical"]


def test_every_state_is_a_delivery_of_its_own_also_one_that_comes_again(receiver: Receiver, sinks: list[WebhookSink]):
    states = [AlertState.RAISED, AlertState.AMENDED, AlertState.RETRACTED, AlertState.RAISED]
    alerts = [replace(make_alert(), state=state, revision=number) for number, state in enumerate(states, start=1)]
    make_sink(sinks, receiver.url, cloudevents=True).write(alerts)
    assert [body["state"] for body in receiver.taken] == states
    for name in ("X-Passerby-Delivery", "ce-id"):
        found = [headers[name] for _, headers, _ in receiver.requests]
        assert found == [f"dwell/1/4.5/{number}" for number in range(1, 5)]


def test_a_key_with_any_character_is_a_valid_header(receiver: Receiver, sinks: list[WebhookSink]):
    make_sink(sinks, receiver.url).write([replace(make_alert(), key="Tür\r\nX-Evil: 1/3/4.5")])
    _, headers, _ = receiver.requests[0]
    assert "X-Evil" not in headers
    assert headers["X-Passerby-Delivery"] == "T%C3%BCr%0D%0AX-Evil:%201/3/4.5/1"


def test_neither_password_nor_token_reach_a_log_or_an_error(
    receiver: Receiver, sinks: list[WebhookSink], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    sink = make_sink(sinks, receiver.url.replace("http://", "http://ann:pass-w0rd@"))
    receiver.answers = [Answer(404), Answer(500)]
    with pytest.raises(SinkBusyError) as busy:
        sink.write([make_alert(1), make_alert(2)])
    said = caplog.text + str(busy.value)
    assert receiver.requests[0][1]["Authorization"].startswith("Basic ")
    assert "pass-w0rd" not in said
    assert "geheim" not in said


def test_alerts_that_are_lost_at_the_end_are_logged(sinks: list[WebhookSink], caplog: pytest.LogCaptureFixture):
    sink = make_sink(sinks, f"http://127.0.0.1:{closed_port()}/", max_waiting=5)
    sink.write([make_alert()])
    sink.close()
    sink.close()
    assert [record.getMessage() for record in caplog.records if record.name == "connectors.sinks.webhook"] == [
        "webhook: closed with 1 alerts undelivered; expected a 2xx answer from 127.0.0.1, got ConnectError"
    ]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"url": "ftp://host/"}, "url"),
        ({"url": "not an address"}, "url"),
        ({"url": "http://host:port/"}, "url"),
        ({"secret_env": "PASSERBY_NOT_SET"}, "PASSERBY_NOT_SET"),
        ({"min_severity": "urgent"}, "min_severity"),
    ],
)
def test_a_mistake_in_the_configuration_is_found_before_the_run(change: dict[str, str], named: str):
    arguments = {
        "url": "https://host/",
        "secret_env": None,
        "timeout_s": 1,
        "max_waiting": 1,
        "min_severity": "info",
    }
    with pytest.raises(ConfigError, match=named):
        WebhookSink.preflight(**{**arguments, **change})
    with pytest.raises(ConfigError, match=named):
        WebhookSink(**{**arguments, **change})


def test_details_and_a_link_go_beside_the_alert(receiver: Receiver, sinks: list[WebhookSink], tmp_path: Path) -> None:
    page = {"output_dir": str(tmp_path), "page": "https://page.example/"}
    make_sink(sinks, receiver.url, form="details", **page).write([make_alert()])
    assert receiver.taken[0]["key"] == "dwell/1/4.5"
    assert receiver.taken[0]["details"] == {
        "name": "",
        "probability": None,
        "runner_up": None,
        "when": "6.0 s",
        "link": "https://page.example/#/alerts?key=dwell%2F1%2F4.5",
        "clip": None,
    }


def test_pictures_are_parts_of_a_form_and_signed_with_it(
    receiver: Receiver, sinks: list[WebhookSink], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    track_id = TrackId("east", 0, 1)
    store = AlertPictureStore(tmp_path / FILE)
    store.put(AlertPicture(TrackPart(track_id, 0), 5.0, b"\xff\xd8crop", b"\xff\xd8scene"))
    store.close()
    receiver.answers = [Answer(204)]
    sink = make_sink(sinks, receiver.url, secret_env="HOOK_SECRET", form="pictures", output_dir=str(tmp_path))
    sink.write([replace(make_alert(), evidence=(track_id,))])
    _, headers, body = receiver.requests[0]
    text = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message_from_bytes(text).walk()
        if not part.is_multipart()
    }
    assert json.loads(parts["alert"])["key"] == "dwell/1/4.5"
    assert (parts["person"], parts["scene"]) == (b"\xff\xd8crop", b"\xff\xd8scene")
    assert headers["X-Passerby-Signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()


def test_cloud_events_are_headers_beside_the_same_body(receiver: Receiver, sinks: list[WebhookSink]) -> None:
    make_sink(sinks, receiver.url).write([make_alert()])
    make_sink(sinks, receiver.url, cloudevents=True).write([make_alert()])
    (_, plain, body), (_, headers, same) = receiver.requests
    assert body == same
    assert not [name for name in plain if name.startswith("ce-")]
    assert {name: headers[f"ce-{name}"] for name in ("specversion", "type", "source", "subject", "time")} == {
        "specversion": "1.0",
        "type": "passerby.alert.raised",
        "source": "/passerby",
        "subject": "east",
        "time": "1970-01-01T00:00:06Z",
    }
    assert headers["ce-id"] == headers["X-Passerby-Delivery"]


def test_a_form_that_there_is_not_is_named() -> None:
    with pytest.raises(ConfigError, match=r"sink\.webhook\.form: expected one of alert, details, pictures"):
        WebhookSink.preflight(url="http://host", secret_env=None, min_severity="info", form="xml")
