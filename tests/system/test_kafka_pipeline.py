"""A whole run between Kafka topics: the same result as from files, and what is left when something breaks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from footage import write_clip
from kafka_broker import Broker, ReadMessage
from ray_cluster import RAY
from running import ROOT, environment, interrupt, run, start
from small_brokers import Need
from test_on_ray import actors_below, cluster

from connectors.sinks.kafka import MAX_RETRY_S

__all__ = ["cluster"]

pytestmark = [pytest.mark.shared, pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

NUM_FRAMES = 100
CROPS = {"left": "[0, 0, 384, 576]", "right": "[384, 0, 768, 576]"}
RULES = ["alerts=[restricted_camera]", "alerts.restricted_camera.cameras=[right]"]
STOPS_S = MAX_RETRY_S + 4.0
"""Seconds for which a broker stops: longer than the sink's longest pause between two attempts."""

EVENTS = ("sightings", "corrections", "alerts")


@pytest.fixture(scope="module")
def film(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of people who cross from one half of the picture to the other."""
    return write_clip(shared / "data/pets09/vtest.avi", tmp_path_factory.mktemp("film") / "film.mp4", NUM_FRAMES)


@pytest.fixture(scope="module")
def weights(shared: Path) -> str:
    return f"weights_dir={shared / 'models'}"


@pytest.fixture(scope="module")
def from_file(film: Path, weights: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that reads the files."""
    folder = tmp_path_factory.mktemp("from_file")
    cameras = ", ".join(f"{name}: {{uri: {film}, crop_xyxy: {crop}}}" for name, crop in CROPS.items())
    finished = run(["runtime=inline", f"site.cameras={{{cameras}}}", weights, f"output_dir={folder}", *RULES])
    assert finished.code == 0, finished.err
    return folder


def publish(
    broker: Broker, film: Path, topic: str, *, speed: str, encoding: str = "png"
) -> list[subprocess.Popen[bytes]]:
    """Start a publisher for each half."""
    to = f"kafka://{broker.servers}/{topic}"
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline.cli.publish", "--camera", name, "--to", to, "--speed", speed),
                *("--source", f"{{uri: {film}, crop_xyxy: {crop}}}", "--encoding", encoding),
            ],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        for name, crop in CROPS.items()
    ]


@pytest.fixture(scope="module")
def frames(broker: Broker, film: Path) -> str:
    """A topic that holds both halves."""
    topic = broker.make_topic(partitions=4)
    for publisher in publish(broker, film, topic, speed="max"):
        assert publisher.wait(120) == 0
    return topic


def overrides(broker: Broker, frames: str, events: str, folder: Path, weights: str) -> list[str]:
    cameras = ", ".join(f'{name}: {{uri: "kafka://{broker.servers}/{frames}", live: false}}' for name in CROPS)
    topics = [f"sink.kafka.topics.{kind}={events}.{kind}" for kind in (*EVENTS, "tracklets")]
    return [f"site.cameras={{{cameras}}}", weights, f"output_dir={folder}", "sink=[jsonl,kafka]", *topics, *RULES]


def result(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text())["result_sha256"])


def assert_every_event_is_there_once(broker: Broker, events: str, expected: Path, *, by_key: bool = False) -> None:
    """Compare topics with files; ``by_key``: after receivers have dropped what came twice under one key."""
    for kind in EVENTS:
        wanted = [json.loads(line) for line in (expected / f"{kind}.jsonl").read_text().splitlines()]
        messages = broker.read(f"{events}.{kind}")
        by_name = {dict(message.headers)["event_key"]: message.value for message in messages}
        assert by_key or len(messages) == len(wanted), kind
        assert all(message.value == by_name[dict(message.headers)["event_key"]] for message in messages), kind
        assert sorted(map(repr, wanted)) == sorted(repr(json.loads(value)) for value in by_name.values()), kind


def traces(messages: list[ReadMessage]) -> dict[str, list[ReadMessage]]:
    found: dict[str, list[ReadMessage]] = {}
    for message in messages:
        found.setdefault(dict(message.headers)["traceparent"].decode().split("-")[1], []).append(message)
    return found


def assert_a_trace_leads_from_frame_to_alert(broker: Broker, frames: str, events: str) -> None:
    of_frames = traces(broker.read(frames, 2 * (NUM_FRAMES + 1)))
    assert len(of_frames) == 2 * NUM_FRAMES  # the end of a camera is of its last frame
    of_tracklets, of_sightings, of_alerts = (
        traces(broker.read(f"{events}.{kind}")) for kind in ("tracklets", "sightings", "alerts")
    )
    assert of_alerts.keys() <= of_sightings.keys() == of_tracklets.keys() <= of_frames.keys()
    for trace, sightings in of_sightings.items():
        boxes = {(body["track"], body["part"]): len(body["path"]) for body in bodies(of_tracklets[trace])}
        assert {(body["track"], body["part"]): body["num_frames"] for body in bodies(sightings)} == boxes


def bodies(messages: list[ReadMessage]) -> list[dict[str, Any]]:
    return [json.loads(message.value) for message in messages]


def some_seen(broker: Broker, events: str, process: "subprocess.Popen[str]") -> None:
    """Wait until the first sightings are in their topic."""
    assert broker.read(f"{events}.sightings", 3, timeout_s=90), process.communicate()
    assert process.poll() is None, process.communicate()


def test_the_result_is_that_of_the_files(
    broker: Broker, frames: str, from_file: Path, weights: str, tmp_path: Path
) -> None:
    events = broker.make_topic()
    finished = run(
        ["runtime=inline", *overrides(broker, frames, events, tmp_path, weights)],
        KAFKA_BOOTSTRAP_SERVERS=broker.servers,
    )
    assert finished.code == 0, finished.err
    assert result(tmp_path) == result(from_file)
    assert (from_file / "alerts.jsonl").read_text(), "the footage shows nothing worth an alert"
    assert_every_event_is_there_once(broker, events, from_file)
    assert_a_trace_leads_from_frame_to_alert(broker, frames, events)


@pytest.mark.ray
def test_a_submitted_job_follows_two_publishers_at_four_times_real_time(
    broker: Broker, film: Path, from_file: Path, weights: str, tmp_path: Path, cluster: dict[str, str]
) -> None:
    frames, events = broker.make_topic(partitions=4), broker.make_topic()
    publishers = publish(broker, film, frames, speed="4")
    chosen = ["runtime=ray", *overrides(broker, frames, events, tmp_path, weights)]
    variables = json.dumps({"env_vars": {"KAFKA_BOOTSTRAP_SERVERS": broker.servers}})
    command = [RAY, "job", "submit", "--working-dir", ".", "--runtime-env-json", variables]
    deadline = time.monotonic() + 300  # a busy machine takes its time to bring up the agent that runs jobs
    while True:
        finished = subprocess.run(
            [*command, "--", "python", "pipeline/run.py", *chosen],
            cwd=ROOT,
            env=cluster,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if finished.returncode == 0 or time.monotonic() > deadline or (tmp_path / "config.yaml").exists():
            break
        time.sleep(2)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [publisher.wait(60) for publisher in publishers] == [0, 0]
    assert result(tmp_path) == result(from_file)
    assert_every_event_is_there_once(broker, events, from_file)


def test_a_broker_that_stops_for_a_while_changes_nothing(
    broker: Broker, frames: str, from_file: Path, weights: str, tmp_path: Path
) -> None:
    if not broker.is_ours:
        pytest.skip("stops a broker of the tests only")
    events = broker.make_topic()
    process = start(
        ["runtime=inline", *overrides(broker, frames, events, tmp_path, weights), "replay.speed=1"],
        KAFKA_BOOTSTRAP_SERVERS=broker.servers,
    )
    some_seen(broker, events, process)
    broker.freeze()
    time.sleep(STOPS_S)
    broker.thaw()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert result(tmp_path) == result(from_file)
    assert_every_event_is_there_once(broker, events, from_file)


def test_a_job_that_is_killed_and_started_again_leaves_every_event_once(
    broker: Broker, frames: str, from_file: Path, weights: str, tmp_path: Path
) -> None:
    events = broker.make_topic()
    chosen = ["runtime=inline", *overrides(broker, frames, events, tmp_path, weights)]
    process = start([*chosen, "replay.speed=1"], own_session=True, KAFKA_BOOTSTRAP_SERVERS=broker.servers)
    some_seen(broker, events, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    there = len(broker.read(f"{events}.sightings"))
    finished = run(chosen, timeout_s=240, KAFKA_BOOTSTRAP_SERVERS=broker.servers)
    assert finished.code == 0, finished.err
    assert result(tmp_path) == result(from_file)
    assert 0 < there < len((from_file / "sightings.jsonl").read_text().splitlines())
    assert_every_event_is_there_once(broker, events, from_file, by_key=True)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("library", "without", "group"),
    [("crc32c", "/faiss/", "own"), ("/faiss/", "onnxruntime", "null")],
    ids=["camera with a group", "match"],
)
def test_a_killed_process_is_replaced_and_changes_nothing(
    broker: Broker,
    frames: str,
    from_file: Path,
    weights: str,
    tmp_path: Path,
    library: str,
    without: str,
    group: str,
) -> None:
    events = broker.make_topic()
    chosen = [
        *("runtime=ray", "replay.speed=1", "runtime.checkpoint_every_s=1", "runtime.cameras_per_process=1"),
        f"source.kafka.group={events if group == 'own' else group}",
        *overrides(broker, frames, events, tmp_path, weights),
    ]
    process = start(chosen, KAFKA_BOOTSTRAP_SERVERS=broker.servers)
    some_seen(broker, events, process)
    killed = actors_below(process.pid, library, without)
    assert len(killed) == (len(CROPS) if library == "crc32c" else 1)
    killed[0].kill()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert result(tmp_path) == result(from_file)
    assert_every_event_is_there_once(broker, events, from_file, by_key=True)


@pytest.mark.ray
def test_a_killed_camera_of_h264_continues_in_the_middle_of_a_group_of_pictures(
    broker: Broker, film: Path, weights: str, tmp_path: Path
) -> None:
    frames, events = broker.make_topic(partitions=4), broker.make_topic()
    for publisher in publish(broker, film, frames, speed="max", encoding="h264"):
        assert publisher.wait(120) == 0
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": broker.servers}
    undisturbed = run(["runtime=inline", *overrides(broker, frames, events, tmp_path / "inline", weights)], **kafka)
    assert undisturbed.code == 0, undisturbed.err
    chosen = overrides(broker, frames, f"{events}.again", tmp_path / "ray", weights)
    process = start(["runtime=ray", "replay.speed=1", "runtime.checkpoint_every_s=1", *chosen], **kafka)
    some_seen(broker, f"{events}.again", process)
    actors_below(process.pid, "crc32c")[0].kill()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert result(tmp_path / "ray") == result(tmp_path / "inline")


@pytest.mark.ray
def test_a_live_camera_whose_process_is_killed_begins_new_tracks_and_sends_nothing_twice(
    broker: Broker, shared: Path, weights: str, tmp_path: Path
) -> None:
    frames, events = broker.make_topic(), broker.make_topic()
    address = f"kafka://{broker.servers}/{frames}"
    film = str(shared / "data/pets09/vtest.avi")
    to = ["--camera", "left", "--to", address, "--as-live", "--speed", "0.5", "--source", film]
    publisher = subprocess.Popen([sys.executable, "-m", "pipeline.cli.publish", *to], cwd=ROOT)
    process = start(
        [
            *overrides(broker, frames, events, tmp_path, weights),
            *("runtime=ray", "runtime.checkpoint_every_s=1", f'site.cameras={{left: "{address}"}}'),
            "alerts.restricted_camera.cameras=[left]",
        ],
        KAFKA_BOOTSTRAP_SERVERS=broker.servers,
    )
    try:
        some_seen(broker, events, process)
        actors_below(process.pid, "crc32c")[0].kill()
        deadline = time.monotonic() + 60
        while len(sessions(broker, events)) < 2:
            assert time.monotonic() < deadline, process.communicate()
        finished = interrupt(process)
    finally:
        publisher.kill()
        publisher.wait()
    assert finished.code == 0, finished.err
    messages = broker.read(f"{events}.sightings")
    assert len({dict(message.headers)["event_key"] for message in messages}) == len(messages)
    before, after = sessions(broker, events)
    assert max(body["last"]["index"] for body in before) < min(body["first"]["index"] for body in after)
    camera = json.loads((tmp_path / "summary.json").read_text())["cameras"]["left"]
    assert camera["error"] is None
    assert camera["reopens"] == 1


def sessions(broker: Broker, events: str) -> list[list[dict[str, Any]]]:
    """Return what was sighted, by the sessions of the tracker, in order of time."""
    found: dict[int, list[dict[str, Any]]] = {}
    for body in bodies(broker.read(f"{events}.sightings")):
        found.setdefault(int(body["track"].split("/")[1]), []).append(body)
    return [found[session] for session in sorted(found)]


def test_a_job_that_is_stopped_in_order_continues_where_it_was(
    broker: Broker, frames: str, weights: str, tmp_path: Path
) -> None:
    broker.need(Need.OFFSET_METADATA)
    events = broker.make_topic()
    chosen = ["runtime=inline", *overrides(broker, frames, events, tmp_path, weights), f"source.kafka.group={events}"]
    process = start([*chosen, "replay.speed=1"], KAFKA_BOOTSTRAP_SERVERS=broker.servers)
    some_seen(broker, events, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    first = json.loads((tmp_path / "summary.json").read_text())["cameras"]
    finished = run([*chosen, "resume=true"], KAFKA_BOOTSTRAP_SERVERS=broker.servers)
    assert finished.code == 0, finished.err
    second = json.loads((tmp_path / "summary.json").read_text())["cameras"]
    for name in CROPS:
        # Frames since the last checkpoint are processed again.
        assert first[name]["frames_processed"] + second[name]["frames_processed"] >= NUM_FRAMES
        assert 0 < second[name]["frames_processed"] <= NUM_FRAMES


def test_a_camera_whose_topic_is_not_there_is_named_before_the_run(
    broker: Broker, weights: str, tmp_path: Path
) -> None:
    finished = run(
        ["runtime=inline", *overrides(broker, "nowhere", "events", tmp_path / "out", weights)],
        KAFKA_BOOTSTRAP_SERVERS=broker.servers,
    )
    assert finished.code == 2
    assert "site.cameras.left: expected a topic" in finished.err
    assert not (tmp_path / "out").exists()


def test_without_an_address_the_broker_of_this_machine_is_expected(weights: str, film: Path, tmp_path: Path) -> None:
    kept = {name: value for name, value in environment().items() if name != "KAFKA_BOOTSTRAP_SERVERS"}
    finished = subprocess.run(
        [sys.executable, "pipeline/run.py", f"site.cameras={{east: {film}}}", weights, "sink=[kafka]"],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 2
    assert "sink.kafka: expected 127.0.0.1:9092" in finished.stderr
