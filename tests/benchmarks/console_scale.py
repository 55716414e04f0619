"""How fast the page answers over a large ledger: ten thousand people, a million sightings by default.

PYTHONPATH=.:tests/support python tests/benchmarks/console_scale.py [people [sightings]]
"""

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from console_page import CONFIG, RunningPage

from pipeline.ledger import Ledger

CAMERAS = ("east", "west", "gate", "street")
PARTS_OF_TRACK = 10
NUM_ALERTS = 5000
NUM_TRIES = 5
REQUESTS = {
    "people": "/api/people?limit=100",
    "people by camera and time": "/api/people?camera=east&since=1700000100&limit=100",
    "people, the last page": "/api/people?limit=100&offset=9900",
    "a person": "/api/people/77",
    "alerts": "/api/alerts?limit=200",
    "review queue": "/api/review?limit=50",
    "corrections": "/api/corrections",
    "site": "/api/site",
    "health": "/api/health",
}


def main() -> None:
    num_people, num_sightings = (int(word) for word in (*sys.argv[1:], "10000", "1000000")[:2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, num_people, num_sightings)
        with RunningPage(folder, is_open=True) as page, httpx.Client(base_url=page.url, timeout=600) as client:
            began = time.perf_counter()
            client.get("/api/people").raise_for_status()
            took_s = time.perf_counter() - began
            print(f"{num_people} people, {num_sightings} sightings; read at the start in {took_s:.1f} s")
            for what, path in REQUESTS.items():
                print(f"{what:<28}{1000 * best(client, path):>7.0f} ms")


def best(client: httpx.Client, path: str) -> float:
    """Return the shortest of a few times in which an answer arrived, seconds."""
    times = []
    for _ in range(NUM_TRIES):
        began = time.perf_counter()
        client.get(path).raise_for_status()
        times.append(time.perf_counter() - began)
    return min(times)


def write(folder: Path, num_people: int, num_sightings: int) -> None:
    Ledger(folder / "ledger.sqlite").close()
    database = sqlite3.connect(folder / "ledger.sqlite")
    insert = "INSERT INTO events (kind, at, person_id, camera_id, track, part, body, chain)"
    database.executemany(f"{insert} VALUES (?, ?, ?, ?, ?, ?, ?, x'00')", rows(num_people, num_sightings))
    database.commit()
    database.close()
    (folder / "config.yaml").write_text(CONFIG)


def rows(num_people: int, num_sightings: int) -> Iterator[tuple[object, ...]]:
    for number in range(num_sightings):
        track, part = divmod(number, PARTS_OF_TRACK)
        person, camera, at = 1 + track % num_people, CAMERAS[track % len(CAMERAS)], 1.7e9 + number / 10
        is_uncertain = part == 0 and number % 50 == 0
        body = {
            "box_xyxy": [10.0, 10.0, 40.0, 90.0],
            "first": [number, at - 1],
            "last": [number + 9, at],
            "outcome": "tentative" if is_uncertain else "matched",
            "distance": None if is_uncertain else 0.2,
            "probability": 0.6 if is_uncertain else 0.99,
            "runner_up": [1 + person % num_people, 0.3],
            "gates": [],
            "num_frames": 10,
            "is_last": False,
            "evidence": {},
            "part": part,
            "track": f"{camera}/0/{track}",
            "person_id": person,
        }
        yield "sighting", at, person, camera, f"{camera}/0/{track}", part, json.dumps(body)
    for number in range(NUM_ALERTS):
        person, camera, at = 1 + number % num_people, CAMERAS[number % len(CAMERAS)], 1.7e9 + number
        body = {
            "key": f"dwell/{person}/{number}",
            "state": "raised",
            "rule": "dwell",
            "severity": "info",
            "person_id": person,
            "camera_id": camera,
            "started_at": at,
            "raised_at": at,
            "message": "Stays.",
            "evidence": [f"{camera}/0/{number % num_people}"],
        }
        yield "alert", at, person, camera, None, None, json.dumps(body)


if __name__ == "__main__":
    main()
