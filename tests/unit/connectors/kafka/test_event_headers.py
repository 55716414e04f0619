"""Headers of events: those that every message has, and the attributes of CloudEvents."""

from connectors.kafka.event_message import event_headers, event_messages
from pipeline.core import Alert, Severity

ALERT = Alert("dwell/1/4.5", "dwell", Severity.WARNING, 1, "east", 4.5, 6.0, "Stays.", ())


def test_cloud_events_are_headers_beside_the_same_body() -> None:
    (message,) = event_messages([ALERT], {"alerts": "passerby.alerts"})
    plain, headers = event_headers(message), dict(event_headers(message, cloudevents=True))
    assert not [name for name, _ in plain if name.startswith("ce_")]
    assert set(plain) <= set(headers.items())
    assert {name: headers[name].decode() for name in ("ce_specversion", "ce_type", "ce_subject", "content-type")} == {
        "ce_specversion": "1.0",
        "ce_type": "passerby.alert.raised",
        "ce_subject": "east",
        "content-type": "application/json",
    }
    assert headers["ce_id"] == headers["event_key"]
