"""Runs in a container of a site: ``watch`` prints how the camera is followed, ``check`` what ledger and topics hold."""

import json
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

RUN = Path("/out/east")
WATCH_EVERY_S = 0.5
SETTLE_S = 60.0
"""Seconds within which what the ledger holds must be in the topics."""


def watch() -> None:
    """Print a line for each look at the status of the run: now, Unix seconds, and frames processed."""
    while True:
        try:
            frames = json.loads((RUN / "status.json").read_text())["cameras"]["east"]["frames_processed"]
        except (OSError, ValueError, KeyError):
            frames = None
        print(json.dumps([time.time(), frames]), flush=True)
        time.sleep(WATCH_EVERY_S)


def check() -> None:
    """Print what is wrong between ledger and topics, and the highest number; wait until all is delivered."""
    until = time.monotonic() + SETTLE_S
    in_ledger = sightings_in_ledger()
    in_topic = sightings_in_topic()
    while in_ledger - in_topic.keys() and time.monotonic() < until:
        time.sleep(2.0)
        in_topic = sightings_in_topic()
    from pipeline.ledger.verification import faults_of

    database = sqlite3.connect(RUN / "ledger.sqlite")
    found = {
        "sightings": len(in_ledger),
        "highest": database.execute("SELECT coalesce(max(person_id), 0) FROM events").fetchone()[0],
        "lost": sorted(in_ledger - in_topic.keys())[:5],
        "twice": sorted(key for key, number in in_topic.items() if number > 1)[:5],
        "ledgers": sorted(path.name for path in RUN.glob("ledger*.sqlite")),
        "faults": faults_of(RUN / "ledger.sqlite"),
    }
    database.close()
    print(json.dumps(found), flush=True)


def sightings_in_ledger() -> set[str]:
    """Return the keys of all sightings, as Kafka's receivers see them."""
    database = sqlite3.connect(RUN / "ledger.sqlite")
    try:
        return {
            f"sighting/{track}/{part}"
            for track, part in database.execute("SELECT track, part FROM events WHERE kind = 'sighting'")
        }
    finally:
        database.close()


def sightings_in_topic() -> Counter[str]:
    """Return how often each key of a sighting is in the topic."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers="kafka:9092", auto_offset_reset="earliest", enable_auto_commit=False)
    partitions = [TopicPartition("passerby.sightings", n) for n in consumer.partitions_for_topic("passerby.sightings")]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    found: Counter[str] = Counter()
    while any(consumer.position(each) < ends[each] for each in partitions):
        for messages in consumer.poll(timeout_ms=1000).values():
            found.update(dict(message.headers)["event_key"].decode() for message in messages)
    consumer.close()
    return found


if __name__ == "__main__":
    {"watch": watch, "check": check}[sys.argv[1]]()
