from pathlib import Path

import numpy as np
import pytest
from factories import make_path, make_sighting

from connectors.sinks import mot
from connectors.sinks.mot import MotSink
from pipeline.core import Correction, CorrectionKind, Record, Sighting, TrackId, TrackPart, TrackPath
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.ledger import FinalTracks

ONE = TrackId("east", 0, 1)
TWO = TrackId("east", 0, 2)
WEST = TrackId("west", 0, 1)


def written(tmp_path: Path, *records: Record, max_gap_s: float = 0.5) -> dict[str, list[str]]:
    sink = MotSink(output_dir=str(tmp_path), camera_ids=["east", "west"], max_gap_s=max_gap_s)
    for record in records:
        sink.write([record])
    sink.flush()
    sink.close()
    return {path.stem: path.read_text().splitlines() for path in (tmp_path / "mot").glob("*.txt")}


def ids(lines: list[str]) -> list[tuple[int, int]]:
    """Return frame and person of every line."""
    return [(int(frame), int(person)) for frame, person, *_ in (line.split(",") for line in lines)]


def path_with_gap(missing: slice, length: int = 10) -> TrackPath:
    path = make_path(length=length, velocity=(2.0, 0.0))
    keep = np.ones(length, np.bool_)
    keep[missing] = False
    scores = np.linspace(0.9, 0.5, length, dtype=np.float32)
    return TrackPath(path.indices[keep], path.captured_at[keep], path.boxes_xyxy[keep], scores[keep], path.frame_hw)


def correction(kind: CorrectionKind, *person_ids: int, parts: tuple[TrackPart, ...] = ()) -> Correction:
    return Correction(kind, person_ids, "rule", 1.0, parts)


def test_every_camera_has_a_file_even_if_empty(tmp_path: Path):
    assert written(tmp_path) == {"east": [], "west": []}


def test_a_camera_that_was_not_configured_has_a_file_too(tmp_path: Path):
    assert set(written(tmp_path, make_sighting(1, TrackId("north", 0, 1)))) == {"east", "west", "north"}


def test_a_line_has_left_top_width_height_and_frames_from_1(tmp_path: Path):
    lines = written(tmp_path, make_sighting(7, ONE, path=make_path(length=1, box=(10.25, 20, 40.5, 90))))
    assert lines["east"] == ["1,7,10.25,20.00,30.25,70.00,0.9000,-1,-1,-1"]


def test_lines_are_ordered_by_frame_and_then_by_person(tmp_path: Path):
    lines = written(
        tmp_path,
        make_sighting(9, ONE, path=make_path(length=2)),
        make_sighting(3, TWO, path=make_path(length=2)),
    )
    assert ids(lines["east"]) == [(1, 3), (1, 9), (2, 3), (2, 9)]


def test_a_merge_applies_to_all_cameras_and_to_later_sightings(tmp_path: Path):
    lines = written(
        tmp_path,
        make_sighting(2, WEST, path=make_path(length=1)),
        correction(CorrectionKind.MERGED, 1, 2),
        make_sighting(2, ONE, path=make_path(length=1)),
    )
    assert [ids(lines["east"]), ids(lines["west"])] == [[(1, 1)], [(1, 1)]]


def test_a_split_moves_the_parts_it_lists(tmp_path: Path):
    lines = written(
        tmp_path,
        make_sighting(1, ONE, 0, make_path(0, 2)),
        make_sighting(1, ONE, 1, make_path(2, 2)),
        correction(CorrectionKind.SPLIT, 1, 4, parts=(TrackPart(ONE, 1),)),
    )
    assert ids(lines["east"]) == [(1, 1), (2, 1), (3, 4), (4, 4)]


def test_an_erased_person_has_no_lines(tmp_path: Path):
    lines = written(
        tmp_path,
        make_sighting(1, ONE, path=make_path(length=1)),
        make_sighting(2, TWO, path=make_path(length=1)),
        correction(CorrectionKind.ERASED, 1),
    )
    assert ids(lines["east"]) == [(1, 2)]


def test_a_short_gap_is_filled_on_a_straight_line(tmp_path: Path):
    lines = written(tmp_path, make_sighting(1, ONE, path=path_with_gap(slice(3, 6))), max_gap_s=0.4)
    assert [line.split(",")[0] for line in lines["east"]] == [str(frame) for frame in range(1, 11)]
    lefts = [float(line.split(",")[2]) for line in lines["east"]]
    assert lefts == [10.0 + 2 * index for index in range(10)]


def test_a_filled_box_has_the_lower_score_of_its_ends(tmp_path: Path):
    lines = written(tmp_path, make_sighting(1, ONE, path=path_with_gap(slice(3, 6))))
    scores = [float(line.split(",")[6]) for line in lines["east"]]
    assert scores[3:6] == [scores[6]] * 3


def test_a_longer_gap_is_not_filled(tmp_path: Path):
    lines = written(tmp_path, make_sighting(1, ONE, path=path_with_gap(slice(3, 6))), max_gap_s=0.3)
    assert [frame for frame, _ in ids(lines["east"])] == [1, 2, 3, 7, 8, 9, 10]


def test_a_gap_between_parts_is_filled_only_within_one_person(tmp_path: Path):
    first, second = make_sighting(1, ONE, 0, make_path(0, 2)), make_sighting(1, ONE, 1, make_path(4, 2))
    assert len(written(tmp_path / "same", first, second)["east"]) == 6
    moved = correction(CorrectionKind.SPLIT, 1, 2, parts=(TrackPart(ONE, 1),))
    assert len(written(tmp_path / "other", first, second, moved)["east"]) == 4


def test_two_tracks_are_not_joined(tmp_path: Path):
    lines = written(
        tmp_path,
        make_sighting(1, ONE, path=make_path(0, 2)),
        make_sighting(1, TWO, path=make_path(4, 2)),
    )
    assert len(lines["east"]) == 4


def test_of_two_boxes_of_a_person_in_one_frame_the_higher_score_stays(tmp_path: Path):
    strong = make_path(length=1, box=(50, 10, 80, 90))
    weak = TrackPath(strong.indices, strong.captured_at, strong.boxes_xyxy - 40, strong.scores / 2, (120, 160))
    for order in ([strong, weak], [weak, strong]):
        sightings = [make_sighting(1, track, path=path) for track, path in zip((ONE, TWO), order, strict=True)]
        lines = written(tmp_path, *sightings)
        assert lines["east"] == ["1,1,50.00,10.00,30.00,80.00,0.9000,-1,-1,-1"]


def test_the_same_sighting_twice_counts_once(tmp_path: Path):
    sighting = make_sighting(1, ONE, path=make_path(length=3))
    assert len(written(tmp_path, sighting, sighting)["east"]) == 3


def test_only_the_texts_and_the_box_store_are_left_behind(tmp_path: Path):
    written(tmp_path, make_sighting(1, ONE))
    assert sorted(path.name for path in (tmp_path / "mot").iterdir()) == ["boxes.sqlite", "east.txt", "west.txt"]


def test_boxes_that_a_crash_left_do_not_come_back(tmp_path: Path):
    spool = tmp_path / "mot" / ".spool"
    spool.mkdir(parents=True)
    (spool / "0.boxes").write_bytes(b"\0" * 100)
    lines = written(tmp_path, make_sighting(2, TWO, path=make_path(length=1)))
    assert ids(lines["east"]) == [(1, 2)]


@pytest.mark.parametrize("camera_id", ["a/b", "..", "", "a\0b"])
def test_a_camera_whose_name_cannot_be_a_file_name_is_refused(tmp_path: Path, camera_id: str):
    with pytest.raises(ConfigError, match=r"site\.cameras"):
        MotSink(output_dir=str(tmp_path), camera_ids=[camera_id], max_gap_s=0.5)


def make_sink(tmp_path: Path) -> MotSink:
    return MotSink(output_dir=str(tmp_path), camera_ids=["east", "west"], max_gap_s=0.5)


def die(sink: MotSink) -> None:
    """Close the files as the kernel does when a process is killed."""
    for file in (sink._boxes._who, *sink._boxes._files.values()):
        file.close()


def texts(tmp_path: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((tmp_path / "mot").glob("*.txt"))}


def test_a_sink_continues_at_the_mark_of_one_that_was_killed(tmp_path: Path):
    before: list[Record] = [
        make_sighting(1, ONE, path=make_path(length=3)),
        make_sighting(2, WEST, path=make_path(length=3)),
        correction(CorrectionKind.MERGED, 1, 2),
    ]
    after: list[Record] = [make_sighting(2, ONE, 1, make_path(3, 3)), make_sighting(4, TrackId("north", 0, 1))]
    sink = make_sink(tmp_path / "whole")
    sink.write([*before, *after])
    sink.close()
    sink = make_sink(tmp_path / "died")
    sink.write(before)
    mark = sink.mark()
    sink.write(after)
    die(sink)
    sink = make_sink(tmp_path / "died")
    sink.rewind(mark)
    sink.write(after)
    sink.close()
    assert texts(tmp_path / "died") == texts(tmp_path / "whole")
    assert not list((tmp_path / "died/mot").glob(".spool*"))


def test_boxes_outlive_starts_that_end_before_they_are_taken_up(tmp_path: Path):
    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, ONE, path=make_path(length=3))])
    mark = sink.mark()
    die(sink)
    for _ in range(2):
        die(make_sink(tmp_path))
        (tmp_path / "mot/.spool/who.jsonl").write_bytes(b"")  # as a full disk leaves it
    sink = make_sink(tmp_path)
    sink.rewind(mark)
    sink.close()
    assert ids(texts(tmp_path)["east"].splitlines()) == [(1, 1), (2, 1), (3, 1)]
    assert not list((tmp_path / "mot").glob(".spool*"))


def test_boxes_that_could_not_be_written_at_the_end_stay_for_the_run_that_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise ConnectorError("east.txt: expected to write it, got No space left on device; check space and rights")

    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, ONE, path=make_path(length=3))])
    mark = sink.mark()
    with monkeypatch.context() as patch:
        patch.setattr(mot, "write_mot_text", full)
        with pytest.raises(ConnectorError):
            sink.close()
        sink.close()
    sink = make_sink(tmp_path)
    sink.rewind(mark)
    sink.close()
    assert ids(texts(tmp_path)["east"].splitlines()) == [(1, 1), (2, 1), (3, 1)]


def test_a_camera_that_first_saw_a_person_after_the_mark_keeps_no_box_of_then(tmp_path: Path):
    north = TrackId("north", 0, 1)
    sink = make_sink(tmp_path)
    mark = sink.mark()
    sink.write([make_sighting(4, north, path=make_path(0, 3))])
    die(sink)
    sink = make_sink(tmp_path)
    sink.rewind(mark)
    sink.write([make_sighting(5, north, path=make_path(7, 1))])
    sink.close()
    assert ids(texts(tmp_path)["north"].splitlines()) == [(8, 5)]


def test_a_new_run_has_no_boxes_of_one_that_was_killed(tmp_path: Path):
    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, ONE)])
    die(sink)
    sink = make_sink(tmp_path)
    sink.close()
    assert texts(tmp_path) == {"east": "", "west": ""}


def test_the_text_of_a_closed_sink_stays(tmp_path: Path):
    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, ONE)])
    mark = sink.mark()
    sink.close()
    before = texts(tmp_path)
    again = make_sink(tmp_path)
    again.rewind(mark)
    again.close()
    assert before["east"]
    assert texts(tmp_path) == before


BEFORE: list[Record] = [
    make_sighting(1, ONE, 0, make_path(0, 3)),
    make_sighting(2, WEST, 0, make_path(0, 3)),
    make_sighting(1, ONE, 1, path_with_gap(slice(3, 6))),
    make_sighting(3, TWO, 0, make_path(2, 4)),
]
FATES: list[Record] = [
    correction(CorrectionKind.MERGED, 1, 2),
    correction(CorrectionKind.SPLIT, 1, 4, parts=(TrackPart(ONE, 1),)),
    correction(CorrectionKind.ERASED, 3),
]
AFTERWARDS: list[Record] = [
    make_sighting(2, ONE, 2, make_path(6, 3)),  # the number was absorbed
    make_sighting(3, TWO, 1, make_path(6, 3)),  # the number was erased
    make_sighting(4, WEST, 1, make_path(3, 3)),
]


@pytest.mark.parametrize("num_deaths", [0, 1, 2])
def test_a_sink_continues_after_one_that_was_closed(tmp_path: Path, num_deaths: int):
    sink = make_sink(tmp_path / "whole")
    sink.write([*BEFORE, *FATES, *AFTERWARDS])
    sink.close()
    sink = make_sink(tmp_path / "two")
    sink.write([*BEFORE, *FATES])
    mark = sink.mark()
    sink.close()
    assert texts(tmp_path / "two")["east"]
    for _ in range(num_deaths):  # killed before anything has a new mark
        sink = make_sink(tmp_path / "two")
        sink.rewind(mark)
        sink.write(AFTERWARDS)
        die(sink)
    sink = make_sink(tmp_path / "two")
    sink.rewind(mark)
    mark = sink.mark()
    sink.write(AFTERWARDS)
    die(sink)
    sink = make_sink(tmp_path / "two")
    sink.rewind(mark)  # killed after a new mark
    sink.write(AFTERWARDS)
    sink.close()
    assert texts(tmp_path / "two") == texts(tmp_path / "whole")


LATER = {
    "nothing": [],
    "a merge": [correction(CorrectionKind.MERGED, 1, 2)],
    "a split": [correction(CorrectionKind.SPLIT, 1, 4, parts=(TrackPart(ONE, 1),))],
    "an erasure": [correction(CorrectionKind.ERASED, 3)],
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_re_export_is_what_a_run_with_the_corrections_would_have_written(tmp_path: Path, later: list[Correction]):
    written(tmp_path / "run", *BEFORE)
    people = FinalTracks()
    for record in [*BEFORE, *later]:
        if isinstance(record, Correction):
            people.correct(record)
        elif isinstance(record, Sighting):
            people.see(TrackPart(record.track_id, record.part), record.person_id)
    for _ in range(2):  # a re-export can be re-exported
        sink = make_sink(tmp_path / "run")
        sink.re_export(people.person_of)
        sink.close()
        assert texts(tmp_path / "run") == {
            camera_id: "".join(f"{line}\n" for line in lines)
            for camera_id, lines in written(tmp_path / "expected", *BEFORE, *later).items()
        }


def test_boxes_that_the_ledger_does_not_know_leave_the_text_unchanged(tmp_path: Path):
    before = written(tmp_path, *BEFORE)
    sink = make_sink(tmp_path)
    with pytest.raises(ConnectorError, match=r"boxes\.sqlite: expected boxes of people whom the ledger knows"):
        sink.re_export(FinalTracks().person_of)
    assert {path.stem: path.read_text().splitlines() for path in (tmp_path / "mot").glob("*.txt")} == before
    assert not list((tmp_path / "mot").glob(".spool*"))


def test_a_folder_without_a_box_store_is_one_clear_error(tmp_path: Path):
    with pytest.raises(ConnectorError, match=r"boxes\.sqlite: expected the boxes of a run that has ended"):
        make_sink(tmp_path).re_export(FinalTracks().person_of)
