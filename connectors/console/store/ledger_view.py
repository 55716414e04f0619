"""The ledger as the page shows it: people, sightings and alerts after all corrections. Read only."""

import threading
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from connectors.console.store.accounts import User
from connectors.console.store.recent_events import RecentEvents, Span, first_at, probability, runner_up
from connectors.console.store.site import Place, SiteReader
from pipeline.core import Alert, Correction, TrackPart
from pipeline.ledger import NOBODY, AuditEntry, Event, LedgerReader, Person, SubmittedCommand

LONGEST_TRANSIT_S = 300.0
"""Gaps between two cameras up to this long count as walks."""

MIN_PLACES = 3


class LedgerView:
    """What was seen, by whom it was; may be asked from several threads.

    Args:
        ledger_path: The ledger; it may be written meanwhile.
        site: What is known of the place.

    Raises:
        ConnectorError: If there is no ledger; every method raises it if it is damaged.
    """

    def __init__(self, ledger_path: Path, site: SiteReader) -> None:
        self._reader = LedgerReader(ledger_path)
        self._site = site
        self._recent = RecentEvents()
        self._lock = threading.RLock()

    def follow(self) -> tuple[int, list[Correction]]:
        """Take in what is new; return the number of the newest event, and the new corrections."""
        with self._lock:
            corrections: list[Correction] = []
            while events := self._reader.events(after=self._recent.last_event):
                corrections += self._recent.take(events)
            return self._recent.last_event, corrections

    def persons_of(self, tracks: Sequence[str]) -> dict[str, int]:
        """Return which persons tracks show now, as far as it is known."""
        with self._lock:
            newest = self._recent.newest_parts(tracks)
            persons = {track: self._reader.person_of(part) for track, part in newest.items()}
        return {track: person_id for track, person_id in persons.items() if person_id != NOBODY}

    def person_of(self, part: TrackPart) -> int:
        """Return whose part it is; ``NOBODY`` if it was erased or never seen."""
        with self._lock:
            return self._reader.person_of(part)

    def was_seen(self, part: TrackPart) -> bool:
        """Return whether there is, or was, a sighting of a part of a track, among the newest."""
        with self._lock:
            return self._recent.knows(part)

    def kept_for(self, person_id: int) -> int:
        """Return the number that somebody has now who was once called so."""
        with self._lock:
            self.follow()
            return self._recent.kept_for(person_id)

    def people(self, user: User) -> list[Person]:
        """Return everybody whom a user may see, the newest first."""
        with self._lock:
            found = self._reader.persons()
        return sorted(
            (person for person in found if any(map(user.sees, person.camera_ids))),
            key=lambda person: -person.last_seen_at,
        )

    def person(self, person_id: int) -> Person | None:
        """Return one person; None if there is none of that number."""
        with self._lock:
            return next((person for person in self._reader.persons() if person.person_id == person_id), None)

    def sightings_of(self, person_id: int, user: User) -> list[dict[str, Any]]:
        """Return the sightings of a person that a user may see, in order of time."""
        return [self.shown(event) for event in self.events_of(person_id) if user.sees(event.camera_id or "")]

    def events_of(self, person_id: int) -> list[Event]:
        """Return the sightings of a person, in order of time."""
        with self._lock:
            return sorted(self._reader.sightings_of(person_id), key=first_at)

    def sighting(self, part: TrackPart) -> Event | None:
        """Return the newest sighting of a part of a track; None if there is none, or it was erased."""
        with self._lock:
            event = self._reader.sighting(part)
            is_known = self._reader.person_of(part) != NOBODY
        return None if event is None or event.is_erased or not is_known else event

    def num_rows(self, parts: Sequence[TrackPart]) -> int:
        """Return how many parts of tracks the ledger's file itself still says something of, whosever they are."""
        with self._lock:
            found = [self._reader.sighting(part) for part in parts]
        return sum(event is not None and not event.is_erased for event in found)

    def shown(self, event: Event) -> dict[str, Any]:
        """Return a sighting as the page shows it."""
        assert event.part is not None
        other = runner_up(event)
        return {
            "track": str(event.part.track_id),
            "part": event.part.part,
            "camera": event.camera_id,
            "first_at": first_at(event),
            "last_at": event.at,
            "outcome": event.body["outcome"],
            "person": self.person_of(event.part),
            "person_then": event.person_id,
            "probability": probability(event),
            "runner_up": None if other is None else self.kept_for(other),
            "gates": event.body["gates"],
            "evidence": event.body.get("evidence") or None,
            "place": self._site.site().place(event.camera_id or "", event.body["box_xyxy"]),
        }

    def unsure(self) -> list[Event]:
        """Return sightings that the line was not sure of, newest first."""
        with self._lock:
            self.follow()
            return self._recent.unsure()

    def spans(self) -> list[tuple[Span, int]]:
        """Return the parts of the newest tracks, and whose they are now; those of nobody are left out."""
        with self._lock:
            self.follow()
            found = [(span, self._reader.person_of(span.part)) for span in self._recent.spans()]
        return [(span, person_id) for span, person_id in found if person_id != NOBODY]

    def walks(self) -> list[dict[str, Any]]:
        """Return how long people walked from camera to camera, as far as it was seen."""
        by_person: dict[int, list[Span]] = {}
        for span, person_id in self.spans():
            by_person.setdefault(person_id, []).append(span)
        gaps: dict[tuple[str, str], list[float]] = {}
        for spans in by_person.values():
            spans.sort(key=lambda span: span.first_at)
            for before, after in pairwise(spans):
                cameras = (before.part.track_id.camera_id, after.part.track_id.camera_id)
                gap_s = after.first_at - before.last_at
                if cameras[0] != cameras[1] and 0 <= gap_s <= LONGEST_TRANSIT_S:
                    gaps.setdefault(cameras, []).append(gap_s)
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
        """Return where on the ground people were seen by each camera: corners of the convex hull, metres."""
        places: dict[str, list[Place]] = {}
        site = self._site.site()
        for span, _ in self.spans():
            camera_id = span.part.track_id.camera_id
            place = site.place(camera_id, span.box_xyxy)
            if place is not None:
                places.setdefault(camera_id, []).append(place)
        return {
            camera_id: cv2.convexHull(np.array(found, np.float32))[:, 0].round(2).tolist()
            for camera_id, found in places.items()
            if len(found) >= MIN_PLACES
        }

    def corrections_of(self, person_id: int) -> list[dict[str, Any]]:
        """Return the corrections that concern a person, or a number that became theirs, newest first."""
        with self._lock:
            found = self._reader.corrections()
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
            if person_id in correction.person_ids
            or person_id in (self.kept_for(each) for each in correction.person_ids)
        ]

    def alerts(self) -> list[Alert]:
        """Return how every alert stands, newest first."""
        with self._lock:
            return sorted(self._reader.alerts(), key=lambda alert: -alert.raised_at)

    def commands(self) -> list[SubmittedCommand]:
        """Return all correction commands and what came of them."""
        with self._lock:
            return self._reader.commands()

    def audit(self) -> list[AuditEntry]:
        """Return who asked for what."""
        with self._lock:
            return self._reader.audit()

    def forget(self, parts: Sequence[TrackPart]) -> None:
        """Forget parts of tracks that were erased."""
        with self._lock:
            self._recent.forget(parts)

    def close(self) -> None:
        """Let the ledger go."""
        with self._lock:
            self._reader.close()


def may_correct(user: User, people: Mapping[int, Person | None]) -> bool:
    """Return whether a user may correct these people: only where they see all of what is known of them."""
    return all(person is not None and all(map(user.sees, person.camera_ids)) for person in people.values())
