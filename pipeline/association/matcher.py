"""Embeddings to sightings: which known person a tracklet shows, or that it shows a new one.

*Assignment*: the track segments that begin in one window of event time are assigned to the known people together, one
segment to one person, by appearance and by the spatio-temporal cue. What is not certain enough gets a new number.
*Re-clustering*: every few seconds all segments of the last minutes are clustered again. Each difference, due to later
pictures, becomes a ``Correction``. So does the end of a pending match (``TENTATIVE``), whichever way it ends.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.association.adaptation.adaptation import Adaptation
from pipeline.association.calibration.likelihood_ratio import (
    Calibration,
    CalibrationStatus,
    probability,
    reliability_of,
)
from pipeline.association.calibration.self_supervised_labels import learn_labels
from pipeline.association.candidates import Candidate, compare
from pipeline.association.constraints import LinkConstraints
from pipeline.association.cues import MAX_CUE_LLR, MOTION_MAX_GAP_S
from pipeline.association.feedback import apply_command, enrol
from pipeline.association.geometry.clock_offsets import ClockOffsets
from pipeline.association.geometry.ground_plane import Ground
from pipeline.association.geometry.topology import Topology
from pipeline.association.identity_store import IdentityStore
from pipeline.association.inspection import check_flaws, checked_batch, flaw
from pipeline.association.reclustering import Reclustering, confirm_pending
from pipeline.association.track_segment import NO_GROUND, TrackSegment, turns
from pipeline.core import CommandKind, Correction, CorrectionCommand, Embedding, Gallery, Match, Outcome, Sighting
from pipeline.core.plugin_contract import blaming
from pipeline.core.records.track import ENROLLED
from pipeline.core.serialisation import deserialise, serialise

logger = logging.getLogger(__name__)

MAX_CANDIDATES = 20
"""Nearest people of the gallery that a new segment is compared with. Larger: slower; fewer are missed in a crowd."""
TRACKER_LLR = 1.0
"""LLR that a track still shows the same person, if no other came near. Trackers do change persons unnoticed.

Larger: a track keeps its person although the appearance differs more.
"""


@dataclass(frozen=True, slots=True)
class _State:
    """What a snapshot stores: the state of each part, transit times, and times of the events."""

    store: bytes
    calibration: bytes
    times: dict[tuple[str, str], list[float]]
    now: float
    reclustered_at: float | None
    adaptation: bytes | None


class Matcher:
    """Decides who is who. The only writer of identities; a function of its input alone.

    Args:
        gallery: Finds people by appearance.
        calibration: Distance to log-likelihood ratio (LLR).
        constraints: What rules a link out.
        ground: How the pictures of cameras map to one ground plane, where that is known.
        adaptation: Learns how each camera colours embeddings; None: they are compared as they are.
        max_false_match_rate: Fraction of pairs of different people whose appearance may be close enough for a link;
            in (0, 1).
        recluster_every_s: Seconds of event time between two re-clusterings.
        recluster_window_s: Seconds that a re-clustering goes back; what is older is settled.
        forget_after_s: Seconds without a sighting after which a person is forgotten.
        max_identities: People above this number are forgotten, the longest unseen first.
        max_prototypes: Vectors that the gallery keeps of each person.
        cameras: Those of a caller who is told at once of what is wrong: embeddings of other cameras, and unusable ones,
            are refused. None: unusable ones are left out and counted, because a run goes on.

    Attributes:
        num_unusable: Number of embeddings that were left out because something was wrong with them.
        clock_offsets: How far clocks are apart, and what pairs of cameras have seen; not used for any decision.
    """

    def __init__(
        self,
        gallery: Gallery,
        calibration: Calibration,
        constraints: LinkConstraints,
        ground: Ground = NO_GROUND,
        adaptation: Adaptation | None = None,
        *,
        max_false_match_rate: float,
        recluster_every_s: float,
        recluster_window_s: float,
        forget_after_s: float,
        max_identities: int,
        max_prototypes: int,
        cameras: Collection[str] | None = None,
    ) -> None:
        self._cameras = cameras
        self._gallery = gallery
        self._store = IdentityStore(gallery, max_prototypes=max_prototypes)
        self._calibration = calibration
        self._constraints = constraints
        self._ground = ground
        self._adaptation = adaptation
        self._max_false_match_rate = max_false_match_rate
        self._reclustering = Reclustering(
            self._store, calibration, constraints, recluster_every_s, recluster_window_s, max_false_match_rate
        )
        self._forget_after_s = forget_after_s
        self._max_identities = max_identities
        self._now = float("-inf")
        self._reclustered_at: float | None = None
        self.num_unusable = 0
        self.clock_offsets = ClockOffsets(constraints.topology, ground)

    @property
    def num_identities(self) -> int:
        """People known now whom a camera has seen: pictures alone make nobody a visitor."""
        people = self._store.people
        unseen = sum(
            all(segment.camera_id == ENROLLED for segment in people[each].segments)
            for each in self._store.enrolled
            if each in people
        )
        return len(people) - unseen

    @property
    def projection_version(self) -> int:
        """Version of what was learned of the cameras, as embeddings are read now; 0 for as they are."""
        return self._store.projection.version

    @property
    def calibration(self) -> CalibrationStatus:
        """What the acceptance of matches is based on now."""
        return self._calibration.status

    def process(self, batch: Sequence[Embedding]) -> list[Sighting | Correction]:
        """Return the sightings of one window of event time, in order, and corrections of earlier ones.

        A window that is refused changes nothing.

        Raises:
            EmbeddingSpaceError: If an embedding is of another space than those before it.
            ShapeError: If its vector has another length.
            DataError: If this is no list of embeddings, or one is refused; see ``cameras``.
        """
        batch = checked_batch(batch, self._cameras)
        flaws = self._flaws(batch)
        sound = [embedding for embedding, why in zip(batch, flaws, strict=True) if why is None]
        if self._cameras is not None:
            check_flaws(batch, flaws)
        self._store.accept(sound)
        for embedding, why in zip(batch, flaws, strict=True):
            if why is not None:
                self.num_unusable += 1
                logger.warning("track %s, part %d is left out: %s", embedding.track_id, embedding.part, why)
        batch = sound
        if not batch:
            return []
        for embedding in batch:
            self._now = max(self._now, embedding.completed_at)
        learn_labels(batch, self._calibration, self._constraints, self._ground, self._adaptation)
        if self._adaptation is not None:
            self._adaptation.learn(batch)
        found: dict[Embedding, Sighting] = {}
        for turn in turns(batch):
            new = [embedding for embedding in turn if not self._continues(embedding)]
            found |= {embedding: self._continue(embedding) for embedding in turn if self._continues(embedding)}
            found |= zip(new, self._assign(new), strict=True)
        records: list[Sighting | Correction] = [found[embedding] for embedding in batch]
        if self._reclustered_at is None:
            self._reclustered_at = self._now
        if self._adaptation is not None and self._adaptation.renew():
            self._store.read_by(self._adaptation.projection)
        if self._now - self._reclustered_at >= self._reclustering.every_s:
            records += self._recluster()
        records += self._reclustering.recluster_touched(self._now)
        self.clock_offsets.take(records)
        self._store.forget(self._now, forget_after_s=self._forget_after_s, max_identities=self._max_identities)
        return records

    def enrol(self, person_id: int, embedding: Embedding) -> None:
        """Add pictures of a person, who may be known already. Enrolled people are never forgotten.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than those before it.
            ShapeError: If its vector has another length.
        """
        enrol(person_id, embedding, self._store)

    def flush(self) -> list[Sighting | Correction]:
        """Return the corrections of a last re-clustering, at the end of the stream. No match stays pending."""
        if not self._store.people:
            return []
        records: list[Sighting | Correction] = [*self._recluster()]
        records += self._reclustering.recluster_touched(self._now, is_last=True)
        records += confirm_pending(self._store, self._now)
        self.clock_offsets.take(records)
        return records

    def follow(self, topology: Topology) -> None:
        """Obey another topology from here on. Transit times that were learned stay."""
        topology = replace(topology, learned=self._constraints.topology.learned)
        self._constraints = replace(self._constraints, topology=topology)
        self._reclustering = replace(self._reclustering, constraints=self._constraints)
        self.clock_offsets.topology = topology

    def is_known(self, person_id: int) -> bool:
        """Return whether a known person has this number."""
        return person_id in self._store.people

    def reserve(self, person_id: int) -> None:
        """Never give this number, or a lower one, to a new person."""
        self._store.reserve(person_id)

    def traces_of(self, person_ids: Sequence[int]) -> list[bytes]:
        """Return excerpts of the vectors of people, to search for after an erasure."""
        known = [self._store.people[person_id] for person_id in person_ids if person_id in self._store.people]
        return [segment.vector_sum.tobytes()[:64] for person in known for segment in person.segments]

    @property
    def next_person_id(self) -> int:
        """The number that the next new person gets."""
        return self._store.next_person_id

    def apply(self, command: CorrectionCommand, correction: Correction) -> None:
        """Apply a correction command for good.

        People who are forgotten here, but not in the ledger, are no error.

        Args:
            command: What was asked for.
            correction: Its result. A new person in it has ``next_person_id``, or the number that the ledger gave.
        """
        if self._adaptation is not None and command.kind is CommandKind.ERASE:
            erased = [self._store.people[each] for each in correction.person_ids if each in self._store.people]
            segments = [segment for person in erased for segment in person.segments]
            self._adaptation.forget({part.track_id for segment in segments for part in segment.parts})
        apply_command(command, correction, self._store, self._calibration)
        self.clock_offsets.take([correction])

    def snapshot(self) -> bytes:
        """Return everything that later decisions can depend on."""
        times = self._constraints.topology.learned.times
        learned = None if self._adaptation is None else self._adaptation.snapshot()
        return serialise(
            _State(
                self._store.snapshot(), self._calibration.snapshot(), times, self._now, self._reclustered_at, learned
            )
        )

    def restore(self, state: bytes) -> None:
        """Take over the state of another matcher. Raises ``WireFormatError`` as ``Stateful``."""
        loaded = deserialise(state, _State)
        if self._adaptation is not None and loaded.adaptation is not None:
            self._adaptation.restore(loaded.adaptation)
            self._store.projection = self._adaptation.projection
        self._store.restore(loaded.store)
        self._calibration.restore(loaded.calibration)
        self._constraints.topology.learned.restore(loaded.times)
        self._now, self._reclustered_at = loaded.now, loaded.reclustered_at

    def _flaws(self, batch: Sequence[Embedding]) -> list[str | None]:
        """Return what is wrong with each embedding, in words; None for sound ones."""
        seen_until = {
            track_id: self._store.open[track_id][0].last.at
            for track_id in {embedding.track_id for embedding in batch}
            if track_id in self._store.open
        }
        flaws = []
        for embedding in batch:
            why = flaw(embedding, seen_until.get(embedding.track_id))
            if why is None:
                seen_until[embedding.track_id] = float(embedding.path.captured_at[-1])
            flaws.append(why)
        return flaws

    # Continuing a track

    def _continues(self, embedding: Embedding) -> bool:
        if not embedding.is_continuous or embedding.track_id not in self._store.open:
            return False
        segment, _ = self._store.open[embedding.track_id]
        if segment.parts[-1].part + 1 != embedding.part:
            return False  # the part between them was too poor to be embedded
        reliability = segment.reliability_sum / segment.weight * reliability_of(embedding.quality)
        return self._calibration.llr(self._distance(segment, embedding), reliability) + TRACKER_LLR > 0

    def _continue(self, embedding: Embedding) -> Sighting:
        segment, person_id = self._store.open[embedding.track_id]
        person = self._store.people[person_id]
        distance = self._distance(segment, embedding)
        self._calibration.learn_same(distance)
        segment.extend(embedding, self._ground)
        self._store.put(person)
        if embedding.is_last:
            self._store.end(embedding.track_id)
        return Sighting.of(
            embedding,
            person_id,
            Outcome.MATCHED,
            distance=distance,
            probability=probability(self._calibration.llr(distance) + MAX_CUE_LLR),
            gates=("the track goes on",),
        )

    # Assignment

    def _assign(self, batch: Sequence[Embedding]) -> list[Sighting]:
        """Give each embedding that begins a segment to a person, each person to at most one."""
        segments = [TrackSegment.begin(embedding, self._ground) for embedding in batch]
        candidates = [self._candidates(e, segment) for e, segment in zip(batch, segments, strict=True)]
        people = sorted({c.person_id for of_one in candidates for c in of_one if c.gate is None})
        column = {person_id: index for index, person_id in enumerate(people)}
        gain = np.zeros((len(batch), len(people) + len(batch)))
        for row, of_one in enumerate(candidates):
            for candidate in of_one:
                if candidate.gate is None:
                    gain[row, column[candidate.person_id]] = candidate.llr - candidate.needed
        chosen = dict(zip(*linear_sum_assignment(gain, maximize=True), strict=True)) if len(batch) else {}
        sightings = []
        for row, (embedding, segment) in enumerate(zip(batch, segments, strict=True)):
            is_match = chosen[row] < len(people) and gain[row, chosen[row]] > 0
            person_id = people[chosen[row]] if is_match else None
            sightings.append(self._decide(embedding, segment, candidates[row], person_id))
        return sightings

    def _candidates(self, embedding: Embedding, segment: TrackSegment) -> list[Candidate]:
        """Return people with a similar appearance, and those recently in this camera; highest LLR first."""
        if self._store.projection.version:
            projected = self._store.projection.project(segment.vector_sum, segment.weight, segment.camera_id)
            vector = (projected / np.linalg.norm(projected)).astype(np.float32)
            embedding = replace(embedding, vector=vector)
        with blaming("gallery", self._gallery):
            by_appearance = {match.person_id for match in self._gallery.nearest(embedding, MAX_CANDIDATES)}
        within_s = min(self._constraints.leave_after_s, MOTION_MAX_GAP_S)
        nearby = self._store.recently_in(segment.camera_id, segment.first.at, within_s)
        return compare(
            segment,
            (self._store.people[person_id] for person_id in by_appearance | nearby),
            calibration=self._calibration,
            constraints=self._constraints,
            max_false_match_rate=self._max_false_match_rate,
            projection=self._store.projection,
        )

    def _decide(
        self, embedding: Embedding, segment: TrackSegment, candidates: Sequence[Candidate], person_id: int | None
    ) -> Sighting:
        gates = tuple(f"not {c.person_id}: {c.gate}" for c in candidates if c.gate is not None and c.llr > 0)
        matched = next((c for c in candidates if c.person_id == person_id), None)
        others = [c for c in candidates if c.person_id != person_id and c.gate is None]
        runner_up = Match(others[0].person_id, others[0].distance) if others else None
        if matched is not None:
            person = self._store.people[matched.person_id]
            outcome, distance, certainty = Outcome.MATCHED, matched.distance, probability(matched.llr)
        else:
            person = self._store.new_person()
            best = others[0].llr if others else -MAX_CUE_LLR
            outcome = Outcome.TENTATIVE if best > 0 else Outcome.NEW
            if outcome is Outcome.TENTATIVE:
                self._store.pending[person.person_id] = others[0].person_id
            distance, certainty = None, 1 - probability(best)
        self._store.begin(person, embedding.track_id, segment)
        if embedding.is_last:
            self._store.end(embedding.track_id)
        shown = matched or (others[0] if others else None)
        evidence = shown.evidence(segment.weight) if shown is not None else ()
        return Sighting.of(
            embedding,
            person.person_id,
            outcome,
            distance=distance,
            probability=certainty,
            runner_up=runner_up,
            gates=gates,
            evidence=evidence,
        )

    # Re-clustering

    def _recluster(self) -> list[Correction]:
        """Cluster the last minutes again, and return the corrections."""
        self._reclustered_at = self._now
        return self._reclustering.recluster(self._now)

    def _distance(self, segment: TrackSegment, embedding: Embedding) -> float:
        """Return the distance of an embedding to what came before it on its track."""
        projection = self._store.projection
        mean = projection.project(segment.vector_sum, segment.weight, segment.camera_id)
        vector = projection.project(embedding.vector, 1.0, segment.camera_id)
        return float(projection.distances(np.clip(1 - mean / np.linalg.norm(mean) @ vector, 0, 2)))
