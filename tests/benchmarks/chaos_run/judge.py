"""What a run must have kept."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from chaos_run.feed import CAMERAS, Feed
from chaos_run.job import Job
from chaos_run.sightings import Seen, always_seen, ids_kept, missing, sightings_of
from chaos_run.watch import Span, Usage, Watch
from connectors.sinks.box_store import read_boxes
from pipeline.core import TrackId
from pipeline.ledger import LedgerReader
from pipeline.ledger.verification import faults_of

BEFORE_S = 5.0
"""Seconds before a blind time that count as blind: a part of a track of 3 s that is not complete ends with its process,
and a complete one waits for the other cameras until it is in the ledger."""
AFTER_S = 4.0
"""Seconds after a blind time that count as blind: a track begins anew, and its first part takes a second."""
LOST_S = 3
"""Seconds in a row that a person must be missing to count as lost: the length of a part of a track."""
MIN_WATCHED = 0.2
"""Share of the time that must be judged: a run that is blind all the time has lost nobody."""
MIN_KEPT = 0.95
"""Share of the undisturbed run's identities kept."""
MAX_GROWTH, SLACK = 1.15, {"memory": 60_000_000, "threads": 6, "descriptors": 12}
"""Largest value in the last quarter, as a share of that in the second, and what may come on top."""
FLAT_FROM_S = 240.0
"""Seconds of a run from which growth is judged: shorter ones only show how it begins."""


@dataclass(frozen=True)
class Undisturbed:
    """The run to compare with: ``first_s`` is where its turns begin, seconds since the feed began."""

    seen: list[Seen]
    first_s: int
    num_turns: int


def judge(
    feed: Feed,
    job: Job,
    watch: Watch,
    topic: str,
    span: Span,
    undisturbed: Undisturbed,
    is_back: bool,
    code: int | None,
) -> tuple[list[str], dict[str, object]]:
    """Return what is wrong, in sentences, and the figures.

    Args:
        feed: The feed.
        job: The run, stopped.
        watch: What was seen of it.
        topic: The topic with its sightings.
        span: From when it followed every camera until it was told to stop, Unix seconds.
        undisturbed: The other run.
        is_back: Every camera was followed at the end.
        code: Exit code of the run; None: it did not stop in time.
    """
    if code != 0:
        return [f"the run ended with exit code {code}"], {"lives": len(job.lives), "ends": job.ends}
    wrong = []
    seen = sightings_of(feed, job.output)
    expected = always_seen(undisturbed.seen, feed.period_s, undisturbed.first_s, undisturbed.num_turns)
    seconds_watched = watched(feed, watch, span)
    spans, num_missing, num_expected = missing(seen, expected, feed.period_s, seconds_watched, LOST_S)
    kept, kept_whole = ids_kept(seen, feed.period_s)
    kept_undisturbed, kept_undisturbed_whole = ids_kept(undisturbed.seen, feed.period_s)
    if not is_back:
        wrong.append(f"not every camera is back: {watch.looks[-1].away if watch.looks else 'no status'}")
    wrong += [f"lost: person {one.person} of {one.camera_id}, {one.first_s} to {one.last_s} s" for one in spans]
    wrong += doubled(feed, job, topic)
    wrong += holes(job.output)
    wrong += [f"ledger: {fault}" for fault in faults_of(job.output / "ledger.sqlite")]
    if kept < MIN_KEPT * kept_undisturbed:
        wrong.append(f"ids kept: {kept:.3f} of the sightings, {kept_undisturbed:.3f} in the undisturbed run")
    watched_s = sum(map(len, seconds_watched.values())) / len(CAMERAS)
    if watched_s < MIN_WATCHED * (span[1] - span[0]):
        wrong.append(f"cameras were followed for {watched_s:.0f} of {span[1] - span[0]:.0f} s: too little to judge")
    growth = {name: quarters(watch.usages, name) for name in SLACK}
    if span[1] - span[0] >= FLAT_FROM_S:
        wrong += [
            f"{name} grow from {early} to {late}"
            for name, (early, late) in growth.items()
            if late > MAX_GROWTH * early + SLACK[name]
        ]
    blind = {name: round(sum(end - begin for begin, end in watch.blind(name))) for name in CAMERAS}
    return wrong, {
        "feed_began_at": feed.began_at,
        "undisturbed_from_s": undisturbed.first_s,
        "begins_s": round(span[0] - feed.began_at, 1),
        "seconds": round(span[1] - span[0]),
        "lives": len(job.lives),
        "ends": job.ends,
        "sightings": len(seen),
        "blind_s": blind,
        "person_seconds_expected": num_expected,
        "person_seconds_missing": num_missing,
        "ids_kept": [round(kept, 4), round(kept_undisturbed, 4)],
        "ids_kept_over_turns": [round(kept_whole, 4), round(kept_undisturbed_whole, 4)],
        "growth": growth,
    }


def watched(feed: Feed, watch: Watch, span: Span) -> dict[str, set[int]]:
    """Return the seconds since the feed began in which each camera was not blind, as the run said."""
    begin, end = (at - feed.began_at for at in span)
    found = {}
    for camera_id in CAMERAS:
        seconds = set(range(ceil(begin + AFTER_S), floor(end - BEFORE_S)))
        for blind_from, blind_to in watch.blind(camera_id):
            first, last = blind_from - feed.began_at - BEFORE_S, blind_to - feed.began_at + AFTER_S
            seconds -= set(range(floor(first), ceil(last) + 1))
        found[camera_id] = seconds
    return found


def doubled(feed: Feed, job: Job, topic: str) -> list[str]:
    """Return what is twice in the ledger, the file, the boxes or the topic, or in one and not in another."""
    reader, boxes = LedgerReader(job.output / "ledger.sqlite"), job.output / "mot/boxes.sqlite"
    ledger = Counter(f"{event.part.track_id}/{event.part.part}" for event in reader.events(limit=-1, kind="sighting"))
    reader.close()
    bodies = [json.loads(line) for line in (job.output / "sightings.jsonl").read_text().splitlines()]
    places = {
        "ledger": ledger,
        "boxes.sqlite": Counter(f"{stored.part.track_id}/{stored.part.part}" for stored in read_boxes(boxes)),
        "sightings.jsonl": Counter(f"{body['track']}/{body['part']}" for body in bodies),
        topic: Counter(
            dict(message.headers)["event_key"].decode().removeprefix("sighting/")
            for message in feed.broker.read(topic, timeout_s=60)
        ),
    }
    wrong = [f"{place}: twice: {sorted(key for key in keys if keys[key] > 1)[:5]}" for place, keys in places.items()]
    wrong += [f"{place}: lacks {sorted(ledger.keys() - keys.keys())[:5]}" for place, keys in places.items()]
    wrong += [f"{place}: has {sorted(keys.keys() - ledger.keys())[:5]} besides" for place, keys in places.items()]
    return [line for line in wrong if "[]" not in line]


def holes(run: Path) -> list[str]:
    """Return the tracks that lack a part before their last one; parts are numbered, and none is too poor to be kept."""
    parts: dict[TrackId, set[int]] = defaultdict(set)
    for stored in read_boxes(run / "mot/boxes.sqlite"):
        parts[stored.part.track_id].add(stored.part.part)
    lacking = {track: set(range(max(numbers))) - numbers for track, numbers in parts.items()}
    return [f"lost: parts {sorted(numbers)} of track {track}" for track, numbers in lacking.items() if numbers]


def quarters(usages: Sequence[Usage], name: str) -> tuple[int, int]:
    """Return the largest value in the second and in the last quarter of a run."""
    values = [getattr(usage, name) for usage in usages]
    quarter = len(values) // 4
    return max(values[quarter : 2 * quarter], default=0), max(values[3 * quarter :], default=0)
