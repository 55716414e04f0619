"""The ledger as the page shows it: people, sightings and alerts after all corrections. Read only."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from connectors.console.store.accounts import User
from connectors.console.store.recent_events import MAX_AT_START, RecentEvents, Span, probability, runner_up
from connectors.console.store.site import Place, SiteReader
from connectors.console.watchlist.listed import Listed, kept_parts, listed_in
from pipeline.core import Alert, AlertState, TrackPart
from pipeline.ledger import NOBODY, AuditEntry, Event, LedgerReader, Person, SubmittedCommand

LONGEST_TRANSIT_S = 300.0
"""Longest gap between two cameras that counts as a transit, seconds.

A longer gap is more likely a second visit. A larger value raises the upper quantiles of transit times.
"""

NUM_NEWEST = 200_000
"""Newest parts of tracks of which transit times are taken; a larger number makes the pages of the site slower."""

NUM_TRACKS = 1000
"""Newest tracks of which ground areas are taken; a larger number makes the pages of the site slower."""

NUM_PARTS = 200
"""Newest parts of a person's tracks among which pictures are looked for. A larger number makes pages slower."""

MAX_VIEWS = 8
"""Sets of cameras for which the people are kept in memory, for users who may see some only. More take more memory."""

GOES_ON = "the track goes on"
"""What the matcher notes on a part that continues a track segment."""

MIN_PLACES = 3
"""Places that a camera's ground area needs: a convex hull has at least three corners."""


class LedgerView:
    """People, sightings and alerts after all corrections; may be used from several threads.

    Args:
        ledger_path: The ledger; a run may be writing it.
        site: Configuration of the site.

    Raises:
        ConnectorError: If there is no ledger; every method raises it if the ledger is damaged.
    """

    def __init__(self, ledger_path: Path, site: SiteReader) -> None:
        self._reader = LedgerReader(ledger_path)
        self._site = site
        self._recent = RecentEvents()
        self._alerts: dict[str, Alert] = {}
        self._retracted: dict[str, int] = {}
        self._last_alert, self._alerts_of_erasure = 0, 0
        self._people: dict[tuple[str, ...] | None, tuple[int, dict[int, Person]]] = {}
        self._lock = threading.RLock()

    def follow(self) -> tuple[int, int]:
        """Read the new events; return the numbers of the newest event and of the newest erasure, 0 without one."""
        with self._lock:
            if not self._recent.last_event:
                self._start_late()
            while events := self._reader.events(after=self._recent.last_event):
                self._recent.take(events)
            return self._recent.last_event, self._recent.last_erasure

    def _start_late(self) -> None:
        """Of a long ledger, take only the corrections and the newest events."""
        start = self._reader.last_event() - MAX_AT_START
        if start > 0:
            corrections = self._reader.events(limit=-1, kind="correction")
            self._recent.take(event for event in corrections if event.number <= start)
            self._recent.last_event = start

    def persons_of(self, tracks: Sequence[str]) -> dict[str, int]:
        """Return the current person of each track that has one."""
        with self._lock:
            newest = self._recent.newest_parts(tracks)
            people = self._reader.people()
            persons = {track: people.person_of(part) for track, part in newest.items()}
        return {track: person_id for track, person_id in persons.items() if person_id != NOBODY}

    def person_of(self, part: TrackPart) -> int:
        """Return the current person of a part of a track; ``NOBODY`` if it was erased or never seen."""
        with self._lock:
            return self._reader.person_of(part)

    def persons_at(self, parts: Sequence[TrackPart]) -> list[int]:
        """Return the current person of each of some parts; ``NOBODY`` where it was erased or never seen."""
        with self._lock:
            people = self._reader.people()
            return [people.person_of(part) for part in parts]

    def was_erased(self, part: TrackPart) -> bool:
        """Return whether a part of a track was erased, by whichever process; see ``LedgerReader.was_erased``."""
        with self._lock:
            return self._reader.was_erased(part)

    def current_id(self, person_id: int) -> int:
        """Return the current ID of the person who once had this ID; merges change it."""
        with self._lock:
            return self._reader.people().tracks.current_id(person_id)

    def people(self, user: User) -> list[Person]:
        """Return all people whom a user may see, as the user's cameras saw them, the newest first."""
        with self._lock:
            found = self._persons(user.cameras)
        return sorted(found.values(), key=lambda person: -person.last_seen_at)

    def person_for(self, person_id: int, user: User) -> Person | None:
        """Return one person as a user's cameras saw them; None if these saw nobody of that ID."""
        with self._lock:
            return self._persons(user.cameras).get(person_id)

    def person(self, person_id: int) -> Person | None:
        """Return one person; None if there is no person of that ID."""
        with self._lock:
            return self._persons().get(person_id)

    def sightings_of(self, person_id: int, user: User) -> list[dict[str, Any]]:
        """Return the sightings of a person that a user may see, in order of time."""
        return [self.shown(event, user) for event in self.events_of(person_id) if user.sees(event.camera_id or "")]

    def events_of(self, person_id: int) -> list[Event]:
        """Return the sightings of a person, in order of time."""
        with self._lock:
            return sorted(self._reader.sightings_of(person_id), key=lambda event: event.first_at)

    def sighting(self, part: TrackPart) -> Event | None:
        """Return the newest sighting of a part of a track; None if there is none, or it was erased."""
        with self._lock:
            event = self._reader.sighting(part)
            is_known = self._reader.person_of(part) != NOBODY
        return None if event is None or event.is_erased or not is_known else event

    def num_rows(self, parts: Sequence[TrackPart]) -> int:
        """Return how many parts of tracks the ledger's file still holds data of, whichever person they show."""
        with self._lock:
            found = [self._reader.sighting(part) for part in parts]
        return sum(event is not None and not event.is_erased for event in found)

    def shown(self, event: Event, user: User) -> dict[str, Any]:
        """Return a sighting as a JSON object for a user's page."""
        assert event.part is not None
        other = runner_up(event)
        return {
            "track": str(event.part.track_id),
            "part": event.part.part,
            "camera": event.camera_id,
            "first_at": event.first_at,
            "last_at": event.at,
            "outcome": event.body["outcome"],
            "person": self.person_of(event.part),
            "person_then": event.person_id,
            "probability": probability(event),
            "runner_up": None if other is None else self.current_id(other),
            "gates": noted(event, user),
            "evidence": event.body.get("evidence") or None,
            "place": self._site.site().place(event.camera_id or "", event.body["box_xyxy"]),
        }

    def uncertain(self) -> list[Event]:
        """Return sightings that the pipeline was uncertain about, newest first."""
        with self._lock:
            self.follow()
            return self._recent.uncertain()

    def newest_tracks(self, num: int) -> list[list[tuple[Span, int]]]:
        """Return the parts of the newest tracks and the current person of each, the newest track first.

        Args:
            num: Number of tracks, at most. Parts that were erased are left out, and tracks without any other.
        """
        with self._lock:
            self.follow()
            people = self._reader.people()
            tracks = (
                [(span, person_id) for span in spans if (person_id := people.person_of(span.part)) != NOBODY]
                for spans in self._recent.newest()
            )
            return list(islice(filter(None, tracks), num))

    def tracks_between(self, cameras: Set[str], since: float, until: float) -> Iterator[list[tuple[Span, int]]]:
        """Yield the parts of each of the newest tracks of some cameras that was seen at some time, the newest first.

        With each part comes its person; parts that were erased are left out, and tracks without any other.
        """
        with self._lock:
            self.follow()
            people = self._reader.people()
            for spans in self._recent.newest():
                if spans[0].part.track_id.camera_id not in cameras or spans[0].first_at > until:
                    continue
                known = [(span, people.person_of(span.part)) for span in spans if span.last_at >= since]
                known = [(span, person_id) for span, person_id in known if person_id != NOBODY]
                if known:
                    yield known

    def extent_of_tracks(self, cameras: Set[str]) -> tuple[float, float] | None:
        """Return from when to when the newest tracks of some cameras were seen, Unix seconds; None if none was."""
        with self._lock:
            self.follow()
            found = [spans for spans in self._recent.newest() if spans[0].part.track_id.camera_id in cameras]
        if not found:
            return None
        return min(spans[0].first_at for spans in found), max(spans[-1].last_at for spans in found)

    def newest_parts_of(self, person_ids: Collection[int]) -> dict[int, list[TrackPart]]:
        """Return the parts of tracks that showed each of some people last, the newest first."""
        with self._lock:
            return self._reader.people().newest_parts_of(person_ids, NUM_PARTS)

    def seen(self, cameras: Collection[str] | None, since: float | None, until: float | None) -> set[int]:
        """Return who was seen by one of some cameras at some time; see ``People.seen``."""
        with self._lock:
            return self._reader.people().seen(cameras, since, until)

    def cameras(self) -> list[str]:
        """Return the cameras that have seen somebody, sorted."""
        with self._lock:
            return sorted({camera_id for person in self._persons().values() for camera_id in person.camera_ids})

    def transits(self) -> list[dict[str, Any]]:
        """Return the observed transit times from camera to camera, seconds."""
        with self._lock:
            gaps = self._reader.people().transits(longest_s=LONGEST_TRANSIT_S, num_newest=NUM_NEWEST)
        return [
            {
                "from": cameras[0],
                "to": cameras[1],
                "num": len(found),
                **dict(zip(("p10_s", "median_s", "p90_s"), np.quantile(found, (0.1, 0.5, 0.9)).tolist(), strict=True)),
            }
            for cameras, found in sorted(gaps.items())
        ]

    def areas(self) -> dict[str, list[list[float]]]:
        """Return the ground area in which each camera saw people: corners of the convex hull, metres."""
        places: dict[str, list[Place]] = {}
        site = self._site.site()
        for span, _ in chain.from_iterable(self.newest_tracks(NUM_TRACKS)) if site.ground else ():
            camera_id = span.part.track_id.camera_id
            place = site.place(camera_id, span.box_xyxy)
            if place is not None:
                places.setdefault(camera_id, []).append(place)
        return {
            camera_id: cv2.convexHull(np.array(found, np.float32))[:, 0].round(2).tolist()
            for camera_id, found in places.items()
            if len(found) >= MIN_PLACES
        }

    def corrections_of(self, person_id: int, user: User) -> list[dict[str, Any]]:
        """Return the corrections of a person, under this ID or an earlier one, newest first.

        Those about other people whom the user may not see everywhere are left out.
        """
        with self._lock:
            tracks = self._reader.people().tracks
            found = self._reader.corrections_of(tracks.aliases_of(person_id))
            persons = self._persons()
            return [
                {
                    "number": number,
                    "kind": correction.kind,
                    "person_ids": correction.person_ids,
                    "by": correction.by,
                    "at": correction.at,
                    "reason": correction.reason,
                    "num_parts": len(correction.parts),
                }
                for number, correction in reversed(found)
                if user.cameras is None
                or all(
                    one == person_id or may_correct(user, {one: persons.get(one)})
                    for one in map(tracks.current_id, correction.person_ids)
                )
            ]

    def alerts(self) -> list[Alert]:
        """Return the current state of every alert, newest first."""
        with self._lock:
            _, last_erasure = self.follow()
            if last_erasure != self._alerts_of_erasure:
                self._alerts, self._retracted = {}, {}
                self._last_alert, self._alerts_of_erasure = 0, last_erasure
            for event in self._reader.events(after=self._last_alert, limit=-1, kind="alert"):
                self._last_alert = event.number
                if not event.is_erased:
                    alert = event.alert()
                    self._alerts[alert.key] = alert
                    if alert.state is AlertState.RETRACTED:
                        self._retracted[alert.key] = alert.revision
            return sorted(self._alerts.values(), key=lambda alert: -alert.raised_at)

    def last_retraction(self, key: str) -> int:
        """Return the number of the state in which an alert was last retracted, as of the last ``alerts``; 0: never."""
        with self._lock:
            return self._retracted.get(key, 0)

    def undone(self, *, after: int) -> list[tuple[int, int]]:
        """Return the undos after an event: the number of the event, and of the command that it undoes."""
        with self._lock:
            return [(number, made.undoes) for number, made in self._recent.undone if number > after]

    def newest_at(self) -> float | None:
        """Return the time of the newest event, Unix seconds of event time; None before the first."""
        with self._lock:
            people = self._reader.people()
            return people.last_at if people.last_event else None

    def seen_together(self, one: int, two: int) -> list[tuple[str, str, float, float]]:
        """Return where and when two people were seen at the same time; see ``People.seen_together``."""
        with self._lock:
            return self._reader.people().seen_together(one, two)

    def listed(self) -> list[Listed]:
        """Return who is on the watch-list, by number."""
        with self._lock:
            return listed_in(self._reader)

    def kept_parts(self) -> set[TrackPart]:
        """Return the parts of tracks that stand for enrolled pictures; see ``watchlist.listed``."""
        with self._lock:
            return kept_parts(self._reader)

    def undoable(self) -> set[int]:
        """Return the numbers of the corrections that can be undone."""
        with self._lock:
            done = self._reader.people().done
            return {number for number, each in done.items() if each.can_be_undone}

    def command(self, number: int) -> SubmittedCommand | None:
        """Return a correction command by its number; None if there is none."""
        with self._lock:
            return self._reader.command(number)

    def newest_commands(self, limit: int) -> list[SubmittedCommand]:
        """Return the newest correction commands, newest first."""
        with self._lock:
            return self._reader.newest_commands(limit)

    def num_answered(self) -> int:
        """Return how many correction commands were applied or refused."""
        with self._lock:
            return self._reader.num_answered()

    def commands(self) -> list[SubmittedCommand]:
        """Return all correction commands with their state and outcome, oldest first."""
        with self._lock:
            return self._reader.commands()

    def audit(self) -> list[AuditEntry]:
        """Return the audit: who did what, oldest first."""
        with self._lock:
            return self._reader.audit()

    def _persons(self, cameras: tuple[str, ...] | None = None) -> dict[int, Person]:
        """Return each person whom some cameras saw, by number; computed once for each state of the ledger."""
        people = self._reader.people()
        last_event, found = self._people.pop(cameras, (-1, {}))
        if last_event != people.last_event:
            found = {person.person_id: person for person in people.persons(cameras)}
        self._people[cameras] = people.last_event, found  # the one that was asked for last is the last to go
        while len(self._people) > MAX_VIEWS:
            del self._people[next(iter(self._people))]
        return found

    def forget(self, parts: Sequence[TrackPart]) -> None:
        """Drop parts of tracks that were erased."""
        with self._lock:
            self._recent.forget(parts)

    def close(self) -> None:
        """Close the ledger."""
        with self._lock:
            self._reader.close()


def noted(event: Event, user: User) -> list[str]:
    """Return what the matcher noted on a decision, for a user.

    Notes name who else it may have been, and how far from which camera. Who may not see all cameras gets none of these.
    """
    gates = event.body["gates"]
    assert isinstance(gates, list)
    return gates if user.cameras is None or gates == [GOES_ON] else []


def may_correct(user: User, people: Mapping[int, Person | None]) -> bool:
    """Return whether a user may correct these people: the user must see every camera that saw them."""
    return all(person is not None and all(map(user.sees, person.camera_ids)) for person in people.values())
