"""What a run must have kept."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor
from pathlib import Path

from chaos_run.feed import Feed
from chaos_run.identities import Numbers, kept_over, numbers_of, share_kept, shared
from chaos_run.job import Job
from chaos_run.scene import CAMERAS
from chaos_run.sightings import Seen, Start, always_seen, missing, sightings_of
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
"""Share of the identities kept by the undisturbed run, in the seconds in which both saw the same people."""
EXPECTED_TURNS = 3
"""Turns of the undisturbed run in each of which somebody must be seen to be expected. More expect fewer."""
AROUND_S = 30
"""Seconds before a fault and after the recovery from it in which numbers are compared, for the figures."""
MAX_GROWTH, SLACK = 1.15, {"memory": 60_000_000, "threads": 6, "descriptors": 12}
"""Largest value in the last quarter, as a share of that in the second, and what may come on top."""
FLAT_FROM_S = 240.0
"""Seconds of a run from which growth is judged: shorter ones only show how it begins."""


@dataclass(frozen=True)
class Control:
    """The run that was left alone.

    Attributes:
        seen: Its sightings.
        first_s: Seconds from its start until it followed every camera.
        last_s: Seconds from its start until it was stopped.
    """

    seen: list[Seen]
    first_s: int
    last_s: int


def judge(
    feed: Feed,
    job: Job,
    watch: Watch,
    topic: str,
    start: Start,
    span: Span,
    faults: Sequence[Mapping[str, object]],
    control: Control,
    is_back: bool,
    code: int | None,
) -> tuple[list[str], dict[str, object]]:
    """Return what is wrong, in sentences, and the figures.

    Args:
        feed: The feed.
        job: The run, stopped.
        watch: What was seen of it.
        topic: The topic with its sightings.
        start: When it was started.
        span: From when it followed every camera until it was told to stop, Unix seconds.
        faults: Those of the log.
        control: The other run.
        is_back: Every camera was followed at the end.
        code: Exit code of the run; None: it did not stop in time.
    """
    if code != 0:
        return [f"the run ended with exit code {code}"], {"lives": len(job.lives), "ends": job.ends}
    wrong = []
    scene, seen = feed.scene, sightings_of(feed.scene, job.output, start)
    num_turns = min(EXPECTED_TURNS, (control.last_s - control.first_s) // scene.period_s)
    expected = always_seen(control.seen, scene.period_s, control.first_s, num_turns)
    seconds_watched = watched(watch, start, span)
    spans, num_missing, num_expected = missing(seen, expected, scene.period_s, seconds_watched, LOST_S)
    disturbed, undisturbed = shared(numbers_of(seen), numbers_of(control.seen), seconds_watched)
    kept, kept_undisturbed = share_kept(disturbed), share_kept(undisturbed)
    if not is_back:
        wrong.append(f"not every camera is back: {watch.looks[-1].away if watch.looks else 'no status'}")
    wrong += [f"lost: person {one.person} of {one.camera_id}, {one.first_s} to {one.last_s} s" for one in spans]
    wrong += doubled(feed, job, topic)
    wrong += holes(job.output)
    wrong += [f"ledger: {fault}" for fault in faults_of(job.output / "ledger.sqlite")]
    if kept < MIN_KEPT * kept_undisturbed:
        wrong.append(f"ids kept: {kept:.3f} of the seconds of people, {kept_undisturbed:.3f} by the undisturbed run")
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
        "start": asdict(start),
        "begins_s": round(span[0] - start.at, 1),
        "seconds": round(span[1] - span[0]),
        "lives": len(job.lives),
        "ends": job.ends,
        "sightings": len(seen),
        "blind_s": blind,
        "person_seconds_expected": num_expected,
        "person_seconds_missing": num_missing,
        "person_seconds_compared": len(disturbed),
        "ids_kept": [round(kept, 4), round(kept_undisturbed, 4)],
        "same_number_after": kept_by_fault(disturbed, undisturbed, faults, span[0] - start.at),
        "growth": growth,
    }


def kept_by_fault(
    disturbed: Numbers, undisturbed: Numbers, faults: Sequence[Mapping[str, object]], begins_s: float
) -> dict[str, list[int]]:
    """Return by kind of fault how many people have the same number after it, in either run, and how many were seen.

    Args:
        disturbed: Numbers of the run.
        undisturbed: Those of the other one, of the same cells.
        faults: Those of the log.
        begins_s: Where the times of the log begin, seconds from the start of the run.
    """
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for fault in faults:
        if fault["back_s"] is None:
            continue
        begin, back = (round(begins_s + float(str(fault[name]))) for name in ("begins_s", "back_s"))
        sides = range(begin - AROUND_S, begin), range(back, back + AROUND_S)
        (same, both), (same_undisturbed, _) = (kept_over(numbers, *sides) for numbers in (disturbed, undisturbed))
        of_kind = found[str(fault["fault"])]
        of_kind[:] = [of_kind[0] + same, of_kind[1] + same_undisturbed, of_kind[2] + both]
    return dict(found)


def watched(watch: Watch, start: Start, span: Span) -> dict[str, set[int]]:
    """Return the seconds in which each camera was not blind, as the run said."""
    begin, end = (at - start.at for at in span)
    found = {}
    for camera_id in CAMERAS:
        seconds = set(range(ceil(begin + AFTER_S), floor(end - BEFORE_S)))
        for blind_from, blind_to in watch.blind(camera_id):
            first, last = blind_from - start.at - BEFORE_S, blind_to - start.at + AFTER_S
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
