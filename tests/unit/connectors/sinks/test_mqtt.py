"""Alerts on a broker, as a subscriber and Home Assistant see them."""

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from factories import make_sighting
from mqtt_broker import Subscriber, mqtt_broker, retained
from omegaconf import OmegaConf
from plugins import ROOT
from rtsp_server import free_port

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.sinks.mqtt import MqttSink
from pipeline.core import Alert, AlertState, CommandKind, CorrectionCommand, Severity, TrackId, TrackPart
from pipeline.core.errors import ConfigError, SinkBusyError
from pipeline.core.records.alert import incident_id
from pipeline.ledger import Ledger, LedgerReader, submit_command

TRACK = TrackId("east", 0, 1)
ALERT = Alert(
    "zone_dwell/1/4.500/door", "zone_dwell", Severity.WARNING, 1, "east", 4.5, 6.0, "Stays.", (TRACK,), place="door"
)
INCIDENT = f"passerby/alerts/{incident_id(ALERT.key)}"
ENDED = replace(ALERT, state=AlertState.AMENDED, ended_at=9.0)
RETRACTED = replace(ALERT, state=AlertState.RETRACTED)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mqtt_broker(tmp_path_factory.mktemp("broker")) as port:
        yield port


@pytest.fixture
def sinks() -> Iterator[list[MqttSink]]:
    opened: list[MqttSink] = []
    yield opened
    for sink in opened:
        sink.close()


def make_sink(sinks: list[MqttSink], folder: Path, port: int, **changes: object) -> MqttSink:
    options: dict[str, object] = {
        "url": f"mqtt://127.0.0.1:{port}",
        "ca_file": None,
        "topic": "passerby",
        "discovery": "homeassistant",
        "places": {"zone": ["door"], "line": [], "camera": ["east"]},
        "output_dir": str(folder),
        "page": "https://page.example:8400",
        "time_zone": "UTC",
        "picture_wait_s": 0.0,
        "timeout_s": 2.0,
        "max_retained": 10,
        "min_severity": "info",
    }
    sinks.append(MqttSink(**{**options, **changes}))  # type: ignore[arg-type]
    return sinks[-1]


def deliver(sink: MqttSink, *alerts: Alert) -> None:
    """Write alerts, and return once the broker has them."""
    sink.write(alerts)
    sink.flush()


def until_taken(call: Callable[[], None]) -> None:
    """Call a sink until it is no longer busy."""
    give_up_at = time.monotonic() + 30
    while True:
        try:
            return call()
        except SinkBusyError as busy:
            assert time.monotonic() < give_up_at
            time.sleep(busy.retry_after_s)


def put_picture(folder: Path, crop: bytes = b"crop", scene: bytes = b"scene") -> None:
    store = AlertPictureStore(folder / FILE)
    store.put(AlertPicture(TrackPart(TRACK, 0), 5.0, crop, scene))
    store.close()


def test_an_alert_is_retained_with_its_details_and_pictures(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    put_picture(tmp_path)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([replace(make_sighting(1, TRACK), probability=0.87)])
    deliver(make_sink(sinks, tmp_path, port, topic="first"), ALERT)
    ledger.close()
    found = retained(port, "first/#")
    topic = f"first/alerts/{incident_id(ALERT.key)}"
    body = json.loads(found[topic])
    assert (body["key"], body["state"], body["person_id"]) == (ALERT.key, "raised", 1)
    assert body["details"]["probability"] == pytest.approx(0.87)
    assert body["details"]["link"] == "https://page.example:8400/#/alerts?key=zone_dwell%2F1%2F4.500%2Fdoor"
    assert (found[f"{topic}/person"], found[f"{topic}/scene"]) == (b"crop", b"scene")
    assert found["first/status"] == b"online"


def test_an_alert_that_an_undo_brings_back_has_its_pictures_again(
    tmp_path: Path, port: int, sinks: list[MqttSink]
) -> None:
    put_picture(tmp_path)
    sink = make_sink(sinks, tmp_path, port, topic="back")
    deliver(sink, ALERT, RETRACTED)
    assert retained(port, "back/alerts/#") == {}
    deliver(sink, ENDED)
    topic = f"back/alerts/{incident_id(ALERT.key)}"
    assert set(retained(port, "back/alerts/#")) == {topic, f"{topic}/person", f"{topic}/scene"}


def test_erasing_a_person_after_the_run_says_how_to_clear_what_the_broker_retains_of_them(
    tmp_path: Path, port: int, sinks: list[MqttSink]
) -> None:
    mosquitto_sub = shutil.which("mosquitto_sub")
    if mosquitto_sub is None:
        pytest.skip("apt-get install mosquitto-clients")
    put_picture(tmp_path)
    other = replace(ALERT, key="zone_dwell/2/1.000/hall", person_id=2, place="hall")
    config = OmegaConf.create({"sink": {"mqtt": OmegaConf.load(ROOT / "configs/sink/mqtt.yaml").mqtt}})
    config.sink.mqtt.topic = "erased"
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(config))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(1, TRACK), make_sighting(2, TrackId("east", 0, 2)), ALERT, other])
    ledger.close()
    sink = make_sink(sinks, tmp_path, port, topic="erased")
    deliver(sink, ALERT, other)
    sink.close()
    command = CorrectionCommand(CommandKind.ERASE, (1,), "ann", 0.0)
    number = submit_command(tmp_path / "ledger.sqlite", command)
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    (outcome,) = [each.outcome for each in reader.commands() if each.number == number]
    reader.close()
    line = outcome.partition("NOT REACHED, retained by the MQTT broker; clear it: ")[2].partition(";")[0]
    words = shlex.split(line.replace("BROKER", "127.0.0.1").replace("-W 9", "-W 1"))
    assert words[0] == "mosquitto_sub"
    subprocess.run([mosquitto_sub, "-p", str(port), *words[1:]], stdout=subprocess.DEVNULL, check=False)
    found = retained(port, "erased/#")
    assert not any(incident_id(ALERT.key) in topic for topic in found)
    assert f"erased/alerts/{incident_id(other.key)}" in found
    assert not any(topic.startswith("erased/places/door/") and topic.endswith(("image", "alert")) for topic in found)


def test_an_alert_is_updated_in_place(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    sink = make_sink(sinks, tmp_path, port, topic="second")
    deliver(sink, ALERT)
    deliver(sink, ENDED)
    found = retained(port, "second/alerts/#")
    assert [json.loads(payload)["ended_at"] for payload in found.values()] == [9.0]


def test_nothing_of_a_retracted_alert_stays_on_the_broker(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    put_picture(tmp_path)
    sink = make_sink(sinks, tmp_path, port, topic="third")
    deliver(sink, ALERT)
    deliver(sink, RETRACTED)
    found = retained(port, "third/#")
    assert not [topic for topic in found if "/alerts/" in topic or topic.endswith("/image")]
    assert b"Stays." not in b"".join(found.values())


def test_only_the_newest_alerts_that_are_over_stay(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    sink = make_sink(sinks, tmp_path, port, topic="fourth", max_retained=2)
    lasting = replace(ALERT, key="zone_dwell/9/1.000/door", person_id=9)
    deliver(sink, lasting, *(replace(ENDED, key=f"k/{number}", person_id=number) for number in range(1, 5)))
    found = retained(port, "fourth/alerts/#")
    assert sorted(json.loads(payload)["person_id"] for payload in found.values()) == [3, 4, 9]


def test_home_assistant_sees_where_an_alert_lasts(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    put_picture(tmp_path)
    sink = make_sink(sinks, tmp_path, port, topic="ha", discovery="ha_discovery")
    watcher = Subscriber(port, "ha/#")
    deliver(sink, ALERT)
    config = json.loads(retained(port, "ha_discovery/#")["ha_discovery/binary_sensor/ha/door/config"])
    assert config["availability_topic"] == "ha/status"
    watcher.wait_for(lambda: watcher.state().get(config["state_topic"]) == b"ON")
    assert json.loads(watcher.state()[config["json_attributes_topic"]])["key"] == ALERT.key
    image = json.loads(retained(port, "ha_discovery/#")["ha_discovery/image/ha/door/config"])
    assert watcher.state()[image["image_topic"]] == b"scene"
    sink.write([ENDED])
    watcher.wait_for(lambda: watcher.state()[config["state_topic"]] == b"OFF")
    kinds = [json.loads(payload)["event_type"] for topic, payload, _ in watcher.messages if topic.endswith("/event")]
    assert kinds == ["raised", "ended"]
    watcher.close()


def test_a_crossing_which_takes_no_time_is_on_for_a_moment(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    sink = make_sink(sinks, tmp_path, port, topic="moment")
    watcher = Subscriber(port, "moment/places/door/state")
    sink.write([replace(ALERT, ended_at=4.5)])
    watcher.wait_for(lambda: [payload for _, payload, _ in watcher.messages][-2:] == [b"ON", b"OFF"])
    watcher.close()


def test_a_process_that_takes_over_ends_what_an_earlier_one_said(
    tmp_path: Path, port: int, sinks: list[MqttSink]
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([ALERT])
    deliver(make_sink(sinks, tmp_path, port, topic="again"), ALERT)
    sinks.pop().close()
    other = replace(ALERT, key="zone_dwell/2/5.000/door", person_id=2, ended_at=6.0)
    deliver(make_sink(sinks, tmp_path, port, topic="again"), other)
    ledger.close()
    assert retained(port, "again/places/door/state") == {"again/places/door/state": b"ON"}


def test_a_broker_that_comes_late_gets_the_alert_once_it_is_written_again(
    tmp_path: Path, sinks: list[MqttSink]
) -> None:
    port = free_port()
    sink = make_sink(sinks, tmp_path, port)
    with pytest.raises(SinkBusyError, match=r"127\.0\.0\.1") as busy:
        sink.write([ALERT])
    with mqtt_broker(tmp_path, port):
        time.sleep(busy.value.retry_after_s)
        sink.write([ALERT])
        sink.flush()
        assert INCIDENT in retained(port)


def test_a_broker_that_goes_and_comes_back_gets_what_follows(tmp_path: Path, sinks: list[MqttSink]) -> None:
    port = free_port()
    with mqtt_broker(tmp_path, port):
        sink = make_sink(sinks, tmp_path, port, timeout_s=0.5)
        deliver(sink, ALERT)
    with pytest.raises(SinkBusyError):
        deliver(sink, ENDED)
    with mqtt_broker(tmp_path, port):
        until_taken(lambda: deliver(sink, ENDED))
        assert json.loads(retained(port)[INCIDENT])["ended_at"] == 9.0


def test_a_broker_that_is_away_is_said_before_there_is_an_alert(tmp_path: Path, sinks: list[MqttSink]) -> None:
    port = free_port()
    sink = make_sink(sinks, tmp_path, port)
    with pytest.raises(SinkBusyError, match=rf"sink\.mqtt: expected 127\.0\.0\.1:{port} .*refused"):
        sink.flush()
    with mqtt_broker(tmp_path, port):
        until_taken(sink.flush)
        subscriber = Subscriber(port, "passerby/status")
        subscriber.wait_for(lambda: bool(subscriber.messages))
        assert subscriber.messages[-1][1] == b"online"
        subscriber.close()
    with pytest.raises(SinkBusyError, match=r"sink\.mqtt: expected 127\.0\.0\.1"):
        flush_until_busy(sink)


def flush_until_busy(sink: MqttSink) -> None:
    """Flush until it raises: the client learns a moment later that its broker is gone."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        sink.flush()
        time.sleep(0.01)


def test_the_broker_says_offline_once_the_sink_is_closed(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    deliver(make_sink(sinks, tmp_path, port, topic="leaving"), ALERT)
    sinks.pop().close()
    assert retained(port, "leaving/status") == {"leaving/status": b"offline"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "http://ann:geheim@host"}, "sink.mqtt.url"),
        ({"url": "mqtt://"}, "sink.mqtt.url"),
        ({"url": "mqtt://host:99999"}, "sink.mqtt.url"),
        ({"topic": "a/#"}, "sink.mqtt.topic"),
        ({"discovery": ""}, "sink.mqtt.discovery"),
        ({"url": "mqtts://host", "ca_file": "/absent.pem"}, "sink.mqtt.ca_file"),
        ({"min_severity": "loud"}, "sink.mqtt.min_severity"),
        ({"page": "host:8400"}, "sink.mqtt.page"),
        ({"time_zone": "Vienna"}, "sink.mqtt.time_zone"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(
    tmp_path: Path, sinks: list[MqttSink], wrong: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        make_sink(sinks, tmp_path, 1, **wrong)
    assert "geheim" not in str(raised.value)


def test_what_was_written_as_the_broker_went_is_sent_again(tmp_path: Path, sinks: list[MqttSink]) -> None:
    port = free_port()
    with mqtt_broker(tmp_path, port):
        sink = make_sink(sinks, tmp_path, port, timeout_s=0.3)
        sink.write([ALERT])
        sink.flush()
    with suppress(SinkBusyError):
        sink.write([ENDED])  # taken, if the broken connection was not noticed yet
    with mqtt_broker(tmp_path, port):
        give_up_at = time.monotonic() + 10
        is_safe = False
        while not is_safe and time.monotonic() < give_up_at:
            try:
                sink.write([ENDED])
                sink.flush()
                is_safe = True
            except SinkBusyError as busy:
                time.sleep(busy.retry_after_s)
        assert is_safe
        assert json.loads(retained(port)[INCIDENT])["ended_at"] == 9.0


def test_pictures_that_the_broker_does_not_take_hold_no_alert_back(
    tmp_path: Path, sinks: list[MqttSink], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mqtt_broker(folder, max_packet_bytes=20_000) as port:
        put_picture(tmp_path, scene=bytes(60_000))
        sink = make_sink(sinks, tmp_path, port)
        others = [replace(ALERT, key=f"zone_dwell/{n}/4.500/door", evidence=()) for n in (2, 3, 4)]
        for alert in (ALERT, *others):
            until_taken(partial(sink.write, [alert]))
        until_taken(sink.flush)
        found = retained(port, "passerby/alerts/#")
        sink.close()
    assert sum(not topic.endswith(("/person", "/scene")) for topic in found) == 4
    assert not any(topic.endswith("/scene") for topic in found)
    assert "messages of 60000 bytes" in caplog.text


def test_less_severe_alerts_are_not_sent(tmp_path: Path, sinks: list[MqttSink]) -> None:
    make_sink(sinks, tmp_path, free_port(), min_severity="critical").write([ALERT])


def test_ten_thousand_alerts_fit_into_a_minute(tmp_path: Path, port: int, sinks: list[MqttSink]) -> None:
    sink = make_sink(sinks, tmp_path, port, topic="many", max_retained=5)
    began = time.monotonic()
    for number in range(1, 501):
        sink.write([replace(ENDED, key=f"k/{number}", person_id=number)])
    sink.flush()
    assert time.monotonic() - began < 500 / 10_000 * 60 * 10  # a busy machine may take ten times as long
