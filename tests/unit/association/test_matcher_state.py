from collections.abc import Sequence
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import TRACKS, appearance, embeddings_of, make_match, see, windows

from pipeline.association.matcher import Matcher
from pipeline.core import Correction, Embedding, Sighting
from pipeline.core.errors import WireFormatError
from pipeline.runtime.event_time import EventTimeBuffer


def as_text(records: Sequence[Sighting | Correction]) -> list[str]:
    """Return records as text, with every digit of every number."""
    return [
        repr(record)
        if isinstance(record, Correction)
        else repr((record.track_id, record.part, record.person_id, record.outcome, record.distance))
        + repr((record.probability, record.runner_up, record.gates))
        for record in records
    ]


def make_stage() -> Matcher:
    return make_match(
        recluster_every_s=2.0, recluster_window_s=6.0, forget_after_s=15.0, max_identities=5, leave_after_s=2.0
    )


@given(st.lists(TRACKS, min_size=1, max_size=7), st.sets(st.integers(0, 40), min_size=1, max_size=4))
def test_a_restored_matcher_goes_on_bit_for_bit(tracks, cuts: set[int]) -> None:
    undisturbed, stage = make_stage(), make_stage()
    for number, window in enumerate(windows(embeddings_of(tracks))):
        if number in cuts:
            state = stage.snapshot()
            stage = make_stage()
            stage.restore(state)
        assert as_text(stage.process(window)) == as_text(undisturbed.process(window))
    assert as_text(stage.flush()) == as_text(undisturbed.flush())


def test_enrolled_people_are_known_after_a_restore() -> None:
    stage, other = make_stage(), make_stage()
    stage.enrol(1, see("enrolled", 1, -9.0, -8.0, person=3))
    other.restore(stage.snapshot())
    (sighting,) = other.process([see(person=3)])
    assert isinstance(sighting, Sighting)
    assert (sighting.person_id, other.num_identities) == (1, 1)


def test_people_known_before_a_restore_are_not_known_after_it() -> None:
    stage = make_stage()
    empty = stage.snapshot()
    stage.process([see(person=3)])
    stage.restore(empty)
    (sighting,) = stage.process([see("west", 2, 4.0, 5.0, person=3)])
    assert isinstance(sighting, Sighting)
    assert (sighting.person_id, sighting.distance, stage.num_identities) == (1, None, 1)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(WireFormatError, match="expected"):
        make_stage().restore(b"This is no snapshot.")


def test_a_snapshot_holds_each_vector_once() -> None:
    stage = make_stage()
    batch: list[Embedding] = [see("east", n, person=n, vector=appearance(n)) for n in range(4)]
    stage.process(batch)
    assert stage.snapshot().count(appearance(2).astype("f8").tobytes()) <= 1


@given(st.lists(TRACKS, min_size=1, max_size=6), st.randoms(use_true_random=False), st.integers(1, 5))
def test_the_result_is_the_same_in_whatever_order_and_however_late_the_cameras_deliver(
    tracks, random: Random, batch_size: int
) -> None:
    def records_of(arrivals: list[Embedding], step: int) -> list[tuple[str, int, int]]:
        stage, buffer = make_match(recluster_every_s=2.0), EventTimeBuffer(["east", "west"], window_s=0.5)
        waiting = {camera: [e for e in arrivals if e.track_id.camera_id == camera] for camera in ("east", "west")}
        records = []
        for start in range(0, len(arrivals) + step, step):
            for embedding in arrivals[start : start + step]:
                buffer.add(embedding)
                waiting[embedding.track_id.camera_id].remove(embedding)
            for camera, rest in waiting.items():
                buffer.advance(camera, min((e.completed_at for e in rest), default=inf))
            for _, window in buffer.release():
                records += stage.process(window) if window else []
        return [
            (str(r.track_id), r.part, r.person_id) if isinstance(r, Sighting) else (str(r.kind), 0, r.person_ids[0])
            for r in [*records, *stage.flush()]
        ]

    embeddings = embeddings_of(tracks)
    shuffled = random.sample(embeddings, len(embeddings))
    assert records_of(shuffled, batch_size) == records_of(sorted(embeddings, key=lambda e: e.completed_at), 1)
