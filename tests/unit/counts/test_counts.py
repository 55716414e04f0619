"""Counts from sightings: lines, zones, visitors, and what corrections make of them."""

import json
import math
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from factories import make_path, make_sighting
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer
from kafka_broker import Broker

from connectors.counting.export import write_table
from connectors.counting.reader import CountReader
from connectors.counting.store import FILE, CountingStore
from connectors.sinks.counts import CountSink
from pipeline.cli import counts as command
from pipeline.core import Correction, CorrectionKind, Outcome, Sighting, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.counts.rows import Row
from pipeline.counts.visitors import quantile
from pipeline.ledger import Ledger
from pipeline.ledger.erasure import erase_stores

ZONES = {"door": {"camera": "east", "polygon": [[0, 80], [60, 80], [60, 119], [0, 119]]}}
PARTS = {"first_after_s": 1.0, "part_s": 3.0}
LINES = {"gate": {"camera": "east", "from": [80, 119], "to": [80, 0], "forbidden": "neither"}}


def walk(
    person_id: int, track: int, part: int = 0, *, at: float = 0.0, left: float = 10, velocity: float = 0
) -> Sighting:
    """A part of 30 frames, 3 s; the feet begin 10 px right of ``left``, at the height 90."""
    path = make_path(first=30 * part + round(at * 10), length=30, box=(left, 10, left + 20, 90), velocity=(velocity, 0))
    return make_sighting(person_id, TrackId("east", 0, track), part, path)


def counted(
    folder: Path, records: Sequence[Sighting | Correction], every_s: float = 60.0, zones: Mapping[str, object] = ZONES
) -> list[Row]:
    ledger = Ledger(folder / "ledger.sqlite")
    sink = make_sink(folder, every_s=every_s, zones=zones)
    for record in records:
        ledger.append([record])
        sink.write([record])
        sink.flush()
    sink.close()
    ledger.close()
    reader = CountReader(folder)
    rows = reader.rows(every_s=every_s)
    reader.close()
    return rows


def make_sink(
    folder: Path,
    every_s: float = 60.0,
    lines: Mapping[str, object] = LINES,
    zones: Mapping[str, object] = ZONES,
) -> CountSink:
    options = {"output_dir": str(folder), "zones": zones, "lines": lines, **PARTS}
    return CountSink(**options, ground={}, every_s=every_s, keep_hours=1.0)  # type: ignore[arg-type]


def of(rows: Sequence[Row], kind: str) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def test_a_line_counts_both_directions_whatever_is_forbidden(tmp_path: Path) -> None:
    to_the_right = walk(1, 1, left=40, velocity=2)
    to_the_left = walk(2, 2, at=10, left=100, velocity=-2)
    (row,) = of(counted(tmp_path, [to_the_right, to_the_left]), "line")
    assert (row["place"], row["left_to_right"], row["right_to_left"]) == ("gate", 1, 1)


def test_a_crossing_between_two_parts_of_a_track_is_counted_once_even_by_another_process(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    first, second = walk(1, 1, left=50), walk(1, 1, 1, left=90)
    ledger.append([first, second])
    sink = make_sink(tmp_path)
    sink.write([first])
    sink.close()
    for _ in range(2):  # as after a crash
        sink = make_sink(tmp_path)
        sink.write([second])
        sink.close()
    ledger.close()
    reader = CountReader(tmp_path)
    (row,) = of(reader.rows(every_s=60), "line")
    reader.close()
    assert (row["left_to_right"], row["right_to_left"]) == (1, 0)


def test_a_person_in_two_tracks_of_a_zone_is_one_person_there(tmp_path: Path) -> None:
    records = [walk(1, 1), walk(1, 2, at=1), walk(2, 3, at=1)]
    (row,) = of(counted(tmp_path, records), "zone")
    assert (row["entered"], row["people"], row["most"]) == (2, 2, 2)
    assert row["mean"] == pytest.approx((3.9 + 2.9) / 3.9, abs=0.001)  # of the seconds that the recording lasts


def test_a_dwell_is_that_of_the_person_through_several_tracks(tmp_path: Path) -> None:
    records = [walk(1, 1), walk(1, 1, 1), walk(1, 2, at=8)]
    (row,) = of(counted(tmp_path, records), "zone")
    assert row["dwell_p50_s"] == pytest.approx(10.9)


def test_whoever_is_in_a_zone_when_its_schedule_begins_or_ends_has_not_come_or_left(tmp_path: Path) -> None:
    door: dict[str, object] = {**ZONES["door"], "schedule": {"from_hour": 3 / 3600, "to_hour": 9 / 3600}}
    other = {"camera": "east", "polygon": [[61, 80], [150, 80], [150, 119], [61, 119]]}
    stays_through = [walk(1, 1, part) for part in range(4)]  # 0 to 12 s, in parts that begin with the schedule, too
    comes_and_leaves = [walk(2, 2, at=4.5)]
    is_there_and_leaves = [walk(3, 3, at=1.5), walk(3, 3, 1, at=1.5, left=90)]
    comes_and_stays = [walk(4, 4, at=7.5)]
    records = [*stays_through, *comes_and_leaves, *is_there_and_leaves, *comes_and_stays]
    rows = counted(tmp_path, records, zones={"door": door, "other": other})
    (row,) = [row for row in of(rows, "zone") if row["place"] == "door"]
    assert (row["entered"], row["left"], row["people"], row["most"]) == (2, 2, 4, 2)
    assert (row["dwell_p50_s"], row["dwell_p95_s"]) == (
        pytest.approx((2.9 + 1.4) / 2),  # of those who left, inside the schedule
        pytest.approx(1.4 + 0.95 * 1.5),
    )
    reader = CountReader(tmp_path)
    assert 'passerby_zone_visits_total{zone="door"} 2' in reader.exposition()
    reader.close()


def test_two_people_who_are_merged_count_once_and_an_erased_one_not_at_all(tmp_path: Path) -> None:
    records = [walk(1, 1), walk(2, 2), walk(3, 3)]
    merged = Correction(CorrectionKind.MERGED, (1, 2), "ann", 20.0)
    rows = counted(tmp_path, [*records, merged])
    assert of(rows, "visitors")[0]["people"] == 2
    assert of(rows, "zone")[0]["entered"] == 2
    erased = Correction(CorrectionKind.ERASED, (3,), "ann", 30.0, (TrackPart(TrackId("east", 0, 3), 0),))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([erased])
    ledger.close()
    reader = CountReader(tmp_path)
    assert of(reader.rows(every_s=60), "visitors")[0]["people"] == 1
    reader.close()


def test_people_are_counted_on_their_way_from_zone_to_zone_and_camera_to_camera(tmp_path: Path) -> None:
    there = replace(walk(1, 1, at=10), track_id=TrackId("west", 0, 1))
    rows = counted(tmp_path, [walk(1, 1), there, walk(1, 2, at=20)])
    assert [(row["place"], row["to"], row["num"]) for row in of(rows, "flow")] == [
        ("east", "west", 1),
        ("west", "east", 1),
    ]
    assert of(rows, "flow")[0]["p50_s"] == pytest.approx(7.1)


def test_the_file_holds_the_final_rows_and_the_metrics_say_the_same(tmp_path: Path) -> None:
    rows = counted(tmp_path, [walk(1, 1, left=40, velocity=2), walk(2, 2, at=90)], every_s=30.0)
    lines = (tmp_path / "counts.jsonl").read_text().splitlines()
    assert len(lines) == len(rows)
    metrics = (tmp_path / "counts.prom").read_text()
    assert 'passerby_line_crossings_total{line="gate",direction="left_to_right"} 1' in metrics
    assert 'passerby_zone_people{zone="door"} 1' in metrics
    assert 'passerby_visitors_last_hour{bound="people"} 2' in metrics


def test_intervals_that_are_over_are_appended_while_the_run_goes_on(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    sink = make_sink(tmp_path, every_s=10)
    for number in range(6):
        sighting = walk(number + 1, number + 1, at=10.0 * number)
        ledger.append([sighting])
        sink.write([sighting])
        sink.flush()
    assert (tmp_path / "counts.jsonl").read_text().count('"visitors"') == 3
    sink.close()
    ledger.close()
    assert (tmp_path / "counts.jsonl").read_text().count('"visitors"') == 6


def test_facts_are_kept_only_so_long(tmp_path: Path) -> None:
    store = CountingStore(tmp_path / FILE)
    sink = make_sink(tmp_path)
    sink.write([walk(1, 1), walk(2, 2, at=5000)])
    store.forget(4000.0)
    assert {fact.part.track_id.number for fact in store.facts()} == {2}
    sink.close()
    store.close()


def test_a_folder_that_is_not_there_is_a_mistake_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counted(tmp_path, [walk(1, 1)])
    assert command.main([str(tmp_path), "--to", str(tmp_path / "nodir/x.csv")]) == 2
    assert "nodir/x.csv: expected a folder to write into, got none" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_rows_can_be_had_as_a_table(tmp_path: Path, suffix: str) -> None:
    rows = counted(tmp_path, [walk(1, 1), walk(2, 2)])
    target = tmp_path / f"table.{suffix}"
    assert command.main([str(tmp_path), "--to", str(target)]) == 0
    if suffix == "parquet":
        import pyarrow.parquet as pq

        assert [row["kind"] for row in pq.read_table(target).to_pylist()] == [row["kind"] for row in rows]
    else:
        assert len(target.read_text().splitlines()) == len(rows) + (suffix == "csv")


def test_a_folder_without_counts_and_a_wrong_name_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(tmp_path)]) == 2
    assert "sink=[…,counts]" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"\.parquet"):
        write_table([], tmp_path / "table.xlsx")
    with pytest.raises(ConfigError, match="every_s"):
        make_sink(tmp_path, every_s=0)


def test_the_interval_of_visitors_grows_with_the_doubts(tmp_path: Path) -> None:
    sure = [replace(walk(person, person), probability=0.999) for person in range(1, 5)]
    (tmp_path / "sure").mkdir()
    (row,) = of(counted(tmp_path / "sure", sure), "visitors")
    assert (row["low"], row["people"], row["high"]) == (4, 4, 4)
    doubtful = [replace(each, probability=0.6) for each in sure]
    doubtful += [replace(walk(4, 9, at=20), outcome=Outcome.MATCHED, probability=0.5)]
    (tmp_path / "doubtful").mkdir()
    (row,) = of(counted(tmp_path / "doubtful", doubtful), "visitors")
    assert (row["low"], row["people"], row["high"]) == (1, 4, 5)


def test_who_was_doubtfully_new_is_so_in_every_interval(tmp_path: Path) -> None:
    doubtful = replace(walk(1, 1), probability=0.4)
    later = replace(walk(1, 2, at=100), outcome=Outcome.MATCHED, probability=0.999)
    sure = [replace(walk(2, 3, at=at), probability=0.999) for at in (0, 100)]
    rows = of(counted(tmp_path, [doubtful, sure[0], later, sure[1]]), "visitors")
    assert [(row["low"], row["people"], row["high"]) for row in rows] == [(1, 2, 2), (1, 2, 2)]


def test_nobody_knows_how_new_those_are_who_were_split_off(tmp_path: Path) -> None:
    sure = replace(walk(1, 1), probability=0.999)
    matched = replace(walk(1, 2, at=20), outcome=Outcome.MATCHED, probability=0.999)
    split = Correction(CorrectionKind.SPLIT, (1, 2), "ann", 30.0, (TrackPart(matched.track_id, 0),))
    (row,) = of(counted(tmp_path, [sure, matched, split]), "visitors")
    assert (row["low"], row["people"], row["high"]) == (1, 2, 2)


def test_people_who_are_enrolled_certainly_are_different_ones(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("enrol: {anna: /a, bob: /b}\n")
    known = [replace(walk(n, n, at=20), outcome=Outcome.MATCHED, probability=0.999) for n in (1, 2)]
    (row,) = of(counted(tmp_path, known), "visitors")
    assert (row["low"], row["people"], row["high"]) == (2, 2, 2)


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.99))
def test_the_quantile_is_that_of_the_distribution(chances: list[float], level: float) -> None:
    found = quantile(chances, level)
    distribution = np.array([1.0])
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    below = math.fsum(distribution[:found].tolist())
    assert below < level + 1e-9
    assert below + distribution[found] >= level - 1e-9


def test_each_row_is_as_its_schema_says(tmp_path: Path) -> None:
    walks = [walk(1, 1, left=40, velocity=2), walk(1, 1, 1, at=30), walk(2, 2, at=10, left=100, velocity=-2)]
    rows = counted(tmp_path, walks, every_s=10.0)
    schema = json.loads((Path(__file__).resolve().parents[3] / "connectors/schemas" / "count.schema.json").read_text())
    assert {row["kind"] for row in rows} >= {"line", "zone", "camera", "visitors"}
    for row in rows:
        jsonschema.validate(row, schema)


@pytest.mark.kafka
def test_counts_go_to_a_topic_and_again_once_they_were_corrected(tmp_path: Path, broker: Broker) -> None:
    topic = f"counts-{uuid.uuid4().hex}"
    kafka = {"topic": topic, "servers": broker.servers, "security": {}, "partitions": 1, "replication": None}
    ledger = Ledger(tmp_path / "ledger.sqlite")
    options = {"output_dir": str(tmp_path), "zones": ZONES, "lines": LINES, "ground": {}, "keep_hours": 1.0, **PARTS}
    sink = CountSink(**options, every_s=10.0, kafka=kafka)  # type: ignore[arg-type]
    merge = Correction(CorrectionKind.MERGED, (1, 2), "ann", 61.0)
    for record in (walk(1, 1), walk(2, 2), walk(3, 3, at=60), merge):
        ledger.append([record])
        sink.write([record])
        sink.flush()
    sink.close()
    ledger.close()
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.servers, auto_offset_reset="earliest", group_id=None)
    bodies: dict[str, list[dict[str, object]]] = {}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and "visitors/60.0//" not in bodies:
        for messages in consumer.poll(1000).values():
            for message in messages:
                bodies.setdefault(message.key.decode(), []).append(json.loads(message.value))
    consumer.close()
    assert [body["people"] for body in bodies["visitors/0.0//"]] == [2, 1]
    final = [json.loads(line) for line in (tmp_path / "counts.jsonl").read_text().splitlines()]
    assert sorted(map(str, final)) == sorted(str(of_key[-1]) for of_key in bodies.values())


def test_a_heat_map_holds_how_long_people_stood_where_and_follows_an_erasure(tmp_path: Path) -> None:
    ground = {"east": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]]}
    ledger = Ledger(tmp_path / "ledger.sqlite")
    options = {"output_dir": str(tmp_path), "zones": {}, "lines": {}, "every_s": 60.0, "keep_hours": 1.0, **PARTS}
    sink = CountSink(**options, ground=ground)  # type: ignore[arg-type]
    there, elsewhere = walk(1, 1), replace(walk(2, 2), track_id=TrackId("west", 0, 2))
    for record in (there, elsewhere):
        ledger.append([record])
        sink.write([record])
    sink.close()
    ledger.close()
    reader = CountReader(tmp_path)
    # The feet at (20, 90) pixels are at (2, 9) metres; in the other camera, 160 pixels wide, a cell is 5 pixels.
    assert reader.heat() == {"": [(4, 18, pytest.approx(2.9))], "west": [(4, 18, pytest.approx(2.9))]}
    assert reader.heat(since=100.0) == {}
    erase_stores(tmp_path, [TrackPart(there.track_id, 0)])
    assert list(reader.heat()) == ["west"]
    reader.close()
