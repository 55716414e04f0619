"""Messages to people: a real mail server, a web service, one that is dead and one that is slow."""

import email
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from http_receiver import serving
from rtsp_server import free_port

from connectors.alerting import message_queue
from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.sinks.apprise import AppriseSink
from pipeline.core import Alert, AlertState, Severity, TrackId, TrackPart
from pipeline.core.errors import ConfigError

TRACK = TrackId("east", 0, 1)
ALERT = Alert(
    "zone_dwell/1/4.500/door",
    *("zone_dwell", Severity.CRITICAL, 1, "east", 4.5, 1720224000.0, "Stays in 'door'.", (TRACK,)),
    place="door",
)
AMENDED, RETRACTED = AlertState.AMENDED, AlertState.RETRACTED


class Inbox:
    """Keeps the mails that the server takes."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802 - its name
        mail = email.message_from_bytes(envelope.content, policy=default)  # type: ignore[attr-defined]
        self.mails.append(mail)  # type: ignore[arg-type]
        return "250 OK"


class Service(BaseHTTPRequestHandler):
    """Takes messages, or refuses, or takes its time."""

    taken: list[dict[str, str]]
    refusals: int
    refuses_with: int
    pause_s: float

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.pause_s)
        status = 200
        if type(self).refusals:
            type(self).refusals -= 1
            status = self.refuses_with
        else:
            self.taken.append(body)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    Service.taken, Service.refusals, Service.refuses_with, Service.pause_s = [], 0, 503, 0.0
    with serving(Service) as address:
        yield address.replace("http://", "json://")


@pytest.fixture
def make_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppriseSink]]:
    opened: list[AppriseSink] = []
    monkeypatch.setattr(message_queue, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(message_queue, "STOP_S", 2.0)

    def make(urls: str, **changes: object) -> AppriseSink:
        monkeypatch.setenv("ADDRESSES", urls)
        options: dict[str, object] = {
            "urls_env": "ADDRESSES",
            "output_dir": str(tmp_path),
            "page": "https://page.example",
            "time_zone": "Europe/Vienna",
            "pictures": True,
            "picture_wait_s": 0.0,
            "max_waiting": 3,
            "max_tries": 3,
            "min_severity": "info",
        }
        opened.append(AppriseSink(**{**options, **changes}))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for sink in opened:
        sink.close()


def test_a_mail_says_who_where_when_and_shows_it(tmp_path: Path, make_sink: Callable[..., AppriseSink]) -> None:
    store = AlertPictureStore(tmp_path / FILE)
    store.put(AlertPicture(TrackPart(TRACK, 0), 5.0, b"\xff\xd8crop", b"\xff\xd8scene"))
    store.close()
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        sink = make_sink(f"mailto://127.0.0.1:{server.port}/guard@example.org?from=p@example.org&smtp=127.0.0.1")
        sink.write([ALERT])
        sink.close()
    finally:
        server.stop()
    (mail,) = inbox.mails
    assert mail["To"] == "guard@example.org"
    assert mail["Subject"] == "Critical: door"
    text = mail.get_body(("plain", "html")).get_content()  # type: ignore[union-attr]
    for words in (
        "Stays in",
        "person 1",
        "door (camera east)",
        "2024-07-06 02:00:00 CEST",
        "page.example/#/alerts?key=",
    ):
        assert words in text, text
    attached = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert attached == {"scene.jpg": b"\xff\xd8scene", "person.jpg": b"\xff\xd8crop"}


def test_an_incident_is_one_message_and_a_false_alarm_another(
    service: str, make_sink: Callable[..., AppriseSink]
) -> None:
    sink = make_sink(service)
    amended = replace(ALERT, state=AlertState.AMENDED, ended_at=ALERT.raised_at + 9, revision=2)
    sink.write([ALERT, amended, ALERT])
    sink.write([replace(amended, state=AlertState.RETRACTED, revision=3)])
    sink.write([replace(ALERT, key="untold", state=state, revision=2) for state in (AMENDED, RETRACTED)])
    sink.close()
    assert [body["title"] for body in Service.taken] == ["Critical: door", "False alarm: door"]


@pytest.mark.parametrize("state", [AlertState.RAISED, AMENDED])
def test_people_are_told_that_a_false_alarm_proves_true(
    service: str, make_sink: Callable[..., AppriseSink], state: AlertState
) -> None:
    sink = make_sink(service)
    sink.write([ALERT, replace(ALERT, state=RETRACTED, revision=2), ALERT, replace(ALERT, state=state, revision=3)])
    sink.close()
    titles = ["Critical: door", "False alarm: door", "Critical: door"]
    assert [body["title"] for body in Service.taken] == titles


def test_a_service_that_refuses_is_asked_again(service: str, make_sink: Callable[..., AppriseSink]) -> None:
    Service.refusals = 2
    sink = make_sink(service)
    sink.write([ALERT])
    sink.close()
    assert len(Service.taken) == 1
    assert sink.report().num_given_up == 0


@pytest.mark.parametrize(("status", "meaning"), [(400, "it refuses the message"), (503, "it was not taken")])
def test_a_status_with_which_a_service_refuses_is_said_with_its_meaning(
    service: str, make_sink: Callable[..., AppriseSink], caplog: pytest.LogCaptureFixture, status: int, meaning: str
) -> None:
    Service.refusals, Service.refuses_with = 10, status
    sink = make_sink(service)
    sink.write([ALERT])
    sink.close()
    for told in (sink.report().why_given_up, caplog.text):
        assert str(status) in told
        assert meaning in told


def test_what_a_dead_service_does_not_get_is_counted_and_its_address_is_told_nobody(
    make_sink: Callable[..., AppriseSink], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        sink = make_sink(f"json://ann:geheim@127.0.0.1:{free_port()}/")
        sink.write([replace(ALERT, key=str(number)) for number in range(10)])
        sink.close()
    assert sink.report().num_given_up == 10
    assert "dropped" in caplog.text
    assert "geheim" not in caplog.text


def test_a_slow_service_delays_neither_the_writer_nor_another_service(
    service: str, make_sink: Callable[..., AppriseSink]
) -> None:
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    Service.pause_s = 1.0
    try:
        began = time.monotonic()
        sink = make_sink(f"{service} mailto://127.0.0.1:{server.port}/g@example.org?from=p@example.org&smtp=127.0.0.1")
        sink.write([ALERT])
        written_s = time.monotonic() - began
        while not inbox.mails:
            assert time.monotonic() < began + 0.9, "the mail waits for the slow service"
            time.sleep(0.01)
        assert written_s < 0.3
    finally:
        server.stop()


def test_addresses_that_cannot_be_used_are_one_line_without_secrets(make_sink: Callable[..., AppriseSink]) -> None:
    with pytest.raises(ConfigError, match="ADDRESSES, got none"):
        make_sink(" ")
    with pytest.raises(ConfigError, match="place 2, nosuch://…") as raised:
        make_sink("json://host nosuch://ann:geheim@host")
    assert "geheim" not in str(raised.value)
