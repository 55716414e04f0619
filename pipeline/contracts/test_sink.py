"""What every sink must do."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.contracts.records import make_sighting
from pipeline.core import Alert, Correction, CorrectionKind, Record, Severity, Sink, TrackId, TrackPart

Factory = Callable[[], Sink]
TRACK = TrackId("east", 0, 1)
ALERT = Alert("dwell/1/4.5", "dwell", Severity.WARNING, 1, "east", 4.5, 6.0, "Stays.", (TRACK,))
RECORDS: list[Record] = [
    make_sighting(1, TRACK),
    make_sighting(2, TrackId("west", 0, 1)),
    ALERT,
    Correction(CorrectionKind.MERGED, (1, 2), "rule", 7.0),
    Correction(CorrectionKind.SPLIT, (1, 3), "ann", 8.0, (TrackPart(TRACK, 0),)),
    Correction(CorrectionKind.CONFIRMED, (1,), "ann", 9.0),
    Correction(CorrectionKind.ERASED, (3,), "ann", 10.0),
]


@dataclass(frozen=True)
class LaterRecord:
    """A kind of record that does not exist yet."""

    person_id: int


def test_nothing_can_be_written(factory: Factory) -> None:
    sink = factory()
    sink.write([])
    sink.flush()
    sink.close()


def test_every_kind_of_record_can_be_written_flushed_and_closed(factory: Factory) -> None:
    sink = factory()
    sink.write(RECORDS)
    sink.flush()
    sink.close()


def test_records_may_come_one_by_one_with_a_flush_after_each(factory: Factory) -> None:
    sink = factory()
    for record in RECORDS:
        sink.write([record])
        sink.flush()
    sink.close()


def test_the_same_records_may_be_written_again(factory: Factory) -> None:
    sink = factory()
    sink.write(RECORDS)
    sink.write(RECORDS)
    sink.flush()
    sink.close()


def test_closing_twice_is_closing_once(factory: Factory) -> None:
    sink = factory()
    sink.write(RECORDS)
    sink.flush()
    sink.close()
    sink.close()


def test_a_sink_that_was_never_written_to_can_be_closed(factory: Factory) -> None:
    factory().close()


def test_records_of_later_kinds_are_ignored(factory: Factory) -> None:
    sink = factory()
    sink.write([LaterRecord(1), *RECORDS, LaterRecord(2)])  # type: ignore[list-item]
    sink.flush()
    sink.close()


def test_its_constructor_call_can_be_sent_to_another_process(factory: Factory) -> None:
    sink = pickle.loads(pickle.dumps(factory))()
    sink.write(RECORDS)
    sink.flush()
    sink.close()


def test_a_second_run_into_the_same_folder_works(factory: Factory) -> None:
    for _ in range(2):
        sink = factory()
        sink.write(RECORDS)
        sink.flush()
        sink.close()
