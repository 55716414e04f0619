import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from factories import make_path, make_sighting
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import (
    Alert,
    AlertState,
    Correction,
    CorrectionKind,
    FrameStamp,
    Match,
    Outcome,
    Severity,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import WireFormatError
from pipeline.ledger import codec
from pipeline.ledger.events import OPTIONAL, from_row, to_row
from pipeline.ledger.messages import CorrectionMessage
from pipeline.ledger.schemas import schema_files

SCHEMAS = Path(__file__).resolve().parents[3] / "connectors/schemas"

TIMES = st.floats(0, 4e9).map(lambda value: round(value, 6))
TRACKS = st.builds(TrackId, st.text(min_size=1), st.integers(0, 2**40), st.integers(0, 2**31))
ALERTS = st.builds(
    Alert,
    key=st.text(),
    rule=st.text(),
    severity=st.sampled_from(Severity),
    person_id=st.integers(1),
    camera_id=st.text(),
    started_at=TIMES,
    raised_at=TIMES,
    message=st.text(),
    evidence=st.lists(TRACKS, max_size=3).map(tuple),
    state=st.sampled_from(AlertState),
    revision=st.integers(1, 2**31),
    clip=st.text(),
)
CORRECTIONS = st.builds(
    Correction,
    kind=st.sampled_from(CorrectionKind),
    person_ids=st.lists(st.integers(1), max_size=3).map(tuple),
    by=st.text(),
    at=TIMES,
    parts=st.lists(st.builds(TrackPart, TRACKS, st.integers(0, 99)), max_size=3).map(tuple),
    reason=st.text(),
)


def check(name: str, message: object) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(message)


def make_alert() -> Alert:
    return Alert("dwell/3/4.5", "dwell", Severity.INFO, 3, "east", 4.5, 6.0, "Stays.", (TrackId("east", 0, 1),))


@given(ALERTS)
def test_an_alert_survives_the_wire(alert: Alert):
    message = json.loads(codec.to_line(alert))
    assert codec.alert_from_dict(message) == alert
    assert ("clip" in message) == bool(alert.clip), "absent where none is kept"


@given(CORRECTIONS)
def test_a_correction_survives_the_wire(correction: Correction):
    message = json.loads(codec.to_line(correction))
    # The parts of an erasure are left out.
    parts = () if correction.kind is CorrectionKind.ERASED else correction.parts
    assert codec.correction_from_dict(message) == replace(correction, parts=parts)


EXACT_TIMES = st.floats(0, 4e9)


@given(ALERTS, CORRECTIONS, EXACT_TIMES)
def test_the_ledger_keeps_alerts_and_corrections_exactly(alert: Alert, correction: Correction, at: float):
    alert, correction = replace(alert, started_at=at, raised_at=at), replace(correction, at=at, person_ids=(3,))
    parts = () if correction.kind is CorrectionKind.ERASED else correction.parts
    assert from_row((1, *to_row(alert))).alert() == alert
    assert from_row((1, *to_row(correction))).correction() == replace(correction, parts=parts)


@given(ALERTS, CORRECTIONS)
def test_alerts_and_corrections_follow_their_schemas(alert: Alert, correction: Correction):
    # The patterns of JSON Schema allow no line breaks inside names; cameras have none.
    alert = replace(alert, evidence=(TrackId("east", 0, 7),))
    correction = replace(correction, parts=(TrackPart(TrackId("east", 0, 7), 2),))
    check("alert", codec.to_dict(alert))
    check("correction", codec.to_dict(correction))


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("runner_up", [None, Match(4, 0.30000001)])
def test_a_sighting_follows_its_schema(outcome: Outcome, runner_up: Match | None):
    check("sighting", codec.to_dict(replace(make_sighting(outcome=outcome), runner_up=runner_up)))


@pytest.mark.parametrize("name", ["sighting", "tracklet", "correction", "alert"])
def test_every_schema_is_closed_and_describes_every_key(name: str):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    # Alerts of earlier versions or without clips lack these, corrections of the pipeline the others.
    optional = ("place", "ended_at", "count", "revision", "clip") if name == "alert" else OPTIONAL
    assert schema["required"] == [key for key in schema["properties"] if key not in optional]
    assert all(value["description"] for value in schema["properties"].values())


@pytest.mark.parametrize("name", schema_files())
def test_schema_files_are_those_generated_from_the_messages(name: str):
    written = (SCHEMAS / name).read_text(encoding="utf-8")
    assert written == schema_files()[name], "run: python -m pipeline.ledger.schemas connectors/schemas"


def test_a_tracklet_follows_its_schema():
    check("tracklet", codec.tracklet_to_dict(make_sighting()))


def test_a_sighting_is_written_with_rounded_numbers_and_without_its_path():
    box = np.array([1.23456, 2, 3, 4.999], np.float32)
    sighting = replace(make_sighting(person_id=7), box_xyxy=box, probability=0.9512345, runner_up=Match(2, 1 / 3))
    assert json.loads(codec.to_line(sighting)) == {
        "schema": 1,
        "event": "sighting",
        "person_id": 7,
        "camera_id": "east",
        "track": "east/0/1",
        "part": 0,
        "first": {"index": 0, "captured_at": 0.0},
        "last": {"index": 4, "captured_at": 0.4},
        "box_xyxy": [1.23, 2.0, 3.0, 5.0],
        "outcome": "new",
        "distance": None,
        "probability": 0.9512,
        "runner_up": {"person_id": 2, "distance": 0.3333},
        "gates": [],
        "num_frames": 5,
        "is_last": False,
        "evidence": {},
    }


def test_a_record_is_one_line():
    line = codec.to_line(replace(make_alert(), message="two\nlines\u2028and more"))
    assert len(line.decode().splitlines()) == 1


def test_a_number_that_is_not_finite_is_not_written():
    with pytest.raises(WireFormatError, match="probability: expected a finite number, got nan"):
        codec.to_dict(replace(make_sighting(), probability=float("nan")))


def test_a_record_of_another_kind_has_no_wire_form():
    with pytest.raises(WireFormatError, match="got str"):
        codec.to_dict("hello")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("schema", True),
        ("event", "correction"),
        ("severity", "urgent"),
        ("person_id", "3"),
        ("person_id", True),
        ("started_at", float("inf")),
        ("started_at", "4.5"),
        ("message", None),
        ("evidence", "east/0/1"),
        ("evidence", ["east"]),
        ("evidence", [7]),
        ("state", 1),
        ("colour", "red"),
    ],
)
def test_a_bad_alert_is_refused_by_the_name_of_the_key(key: str, value: object):
    with pytest.raises(WireFormatError, match=key):
        codec.alert_from_dict({**codec.to_dict(make_alert()), key: value})


@pytest.mark.parametrize("key", [key for key in CorrectionMessage.__struct_fields__ if key not in OPTIONAL])
def test_a_correction_without_a_key_is_refused_by_its_name(key: str):
    message = codec.to_dict(Correction(CorrectionKind.MERGED, (1, 2), "ann", 3.0))
    del message[key]
    with pytest.raises(WireFormatError, match=key):
        codec.correction_from_dict(message)


@pytest.mark.parametrize(
    "part", [7, {}, {"track": "a/0/1"}, {"track": "a", "part": 0}, {"track": "a/0/1", "part": "0"}]
)
def test_a_bad_part_is_refused(part: object):
    message = codec.to_dict(Correction(CorrectionKind.SPLIT, (1, 2), "ann", 3.0))
    with pytest.raises(WireFormatError, match=r"parts\[0\]"):
        codec.correction_from_dict({**message, "parts": [part]})


def test_a_value_that_is_not_an_object_is_refused():
    with pytest.raises(WireFormatError, match="expected a JSON object, got list"):
        codec.alert_from_dict([])  # type: ignore[arg-type]


def test_every_float_is_rounded_by_what_it_measures():
    sighting = replace(
        make_sighting(outcome=Outcome.MATCHED),
        distance=0.123456,
        evidence=(("looks", 1.23456789), ("way", -0.00001)),
        first=FrameStamp("east", 0, 1.23456789),
    )
    message = codec.to_dict(sighting)
    assert (message["distance"], message["first"]) == (0.1235, {"index": 0, "captured_at": 1.234568})
    assert message["evidence"] == {"looks": 1.2346, "way": 0.0}
    assert "-0.0" not in codec.to_line(sighting).decode(), "minus zero is zero"
    alert = replace(make_alert(), started_at=1.23456789, ended_at=9.87654321)
    assert [codec.to_dict(alert)[key] for key in ("started_at", "ended_at")] == [1.234568, 9.876543]


def test_a_row_keeps_more_decimals_than_a_line():
    sighting = replace(make_sighting(), probability=0.12345678912, box_xyxy=np.array([1.23456] * 4, np.float32))
    sighting = replace(sighting, first=FrameStamp("east", 0, 1.23456789012))
    body = json.loads(to_row(sighting)[-1])
    assert (body["probability"], body["box_xyxy"], body["first"]) == (0.123456789, [1.235] * 4, [0, 1.23456789])
    assert from_row((1, *to_row(sighting))).first_at == 1.23456789


def test_a_tracklet_has_every_box_with_its_time_and_score():
    path = make_path(3, 2, (1.234, 2, 3, 4), velocity=(0.5, 0.25), fps=3.0)
    message = codec.tracklet_to_dict(make_sighting(1, TrackId("west", 7, 2), 4, path, is_last=True))
    assert message == {
        "schema": 1,
        "event": "tracklet",
        "camera_id": "west",
        "track": "west/7/2",
        "part": 4,
        "frame_hw": [120, 160],
        "path": [
            {"index": 3, "captured_at": 1.0, "box_xyxy": [1.23, 2.0, 3.0, 4.0], "score": 0.9},
            {"index": 4, "captured_at": 1.333333, "box_xyxy": [1.73, 2.25, 3.5, 4.25], "score": 0.9},
        ],
        "is_last": True,
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "schema: expected 1, got 2; update the older side"),
        ({"schema": True}, "schema: expected 1, got True; update the older side"),
        ({"person_id": "3"}, "person_id: expected `int`, got `str`"),
        ({"started_at": float("inf")}, "started_at: expected a finite number, got inf"),
        ({"raised_at": float("nan")}, "raised_at: expected a finite number, got nan"),
        ({"ended_at": float("inf")}, "ended_at: expected a finite number, got inf"),
        ({"evidence": ["east/0/1", "east"]}, "evidence[1]: expected camera/session/number, got 'east'"),
        ({"colour": "red"}, "message: object contains unknown field `colour`"),
    ],
)
def test_what_is_wrong_with_a_message_is_said_in_one_line(change: dict[str, object], reason: str):
    with pytest.raises(WireFormatError) as caught:
        codec.alert_from_dict(codec.to_dict(make_alert()) | change)
    assert str(caught.value) == reason


def test_what_is_wrong_with_a_correction_is_said_by_its_place():
    message = codec.to_dict(Correction(CorrectionKind.SPLIT, (1, 2), "ann", 3.0))
    with pytest.raises(WireFormatError, match=r"^at: expected a finite number, got nan$"):
        codec.correction_from_dict({**message, "at": float("nan")})
    parts = [{"track": "a/0/1", "part": 0}, {"track": "a", "part": 0}]
    with pytest.raises(WireFormatError, match=r"^parts\[1\]\.track: expected camera/session/number, got 'a'$"):
        codec.correction_from_dict({**message, "parts": parts})


def test_a_whole_correction_survives_wire_and_row():
    correction = Correction(
        CorrectionKind.UNDONE, (3, 4), "ann", 5.25, (TrackPart(TrackId("east", 0, 7), 2),), "no", "", 9, 8, ((3, "A"),)
    )
    assert codec.correction_from_dict(json.loads(codec.to_line(correction))) == correction
    assert from_row((1, *to_row(correction))).correction() == correction
    named = Correction(CorrectionKind.NAMED, (3,), "ann", 5.25, name="A")
    assert codec.correction_from_dict(json.loads(codec.to_line(named))) == named
    assert not {"command", "undoes", "names"} & json.loads(to_row(named)[-1]).keys(), "left out where empty"


def test_an_alert_of_a_version_without_numbers_of_states_is_read():
    message = codec.to_dict(make_alert())
    assert message.pop("revision") == 1
    assert codec.alert_from_dict(message) == make_alert()
    old = json.dumps({key: value for key, value in json.loads(to_row(make_alert())[-1]).items() if key != "revision"})
    assert from_row((1, *to_row(make_alert())[:-1], old)).alert() == make_alert()


def test_a_row_of_an_alert_has_place_end_count_and_clip():
    alert = replace(make_alert(), place="hall", ended_at=9.5, count=3, clip="clips/1.mp4")
    assert from_row((1, *to_row(alert))).alert() == alert
    assert codec.alert_from_dict(json.loads(codec.to_line(alert))) == alert
    assert "clip" not in json.loads(to_row(make_alert())[-1])


def test_the_columns_of_a_row_say_what_it_is_about():
    track_id = TrackId("east", 0, 7)
    assert to_row(make_sighting(3, track_id, 2))[:-1] == ("sighting", 0.4, 3, "east", "east/0/7", 2)
    assert to_row(Correction(CorrectionKind.MERGED, (4, 5), "ann", 3.5))[:-1] == (
        "correction",
        3.5,
        4,
        None,
        None,
        None,
    )
    assert to_row(make_alert())[:-1] == ("alert", 6.0, 3, "east", None, None)
    emptied = from_row((1, "sighting", 0.4, None, None, None, None, None))
    assert (emptied.is_erased, emptied.body, emptied.part) == (True, {}, None)
    row = to_row(make_sighting(3, track_id, 2))
    assert (from_row((1, *row)).is_erased, from_row((1, *row)).part) == (False, TrackPart(track_id, 2))


@pytest.mark.parametrize(
    ("part", "name"), [("captured_at", "captured_at"), ("boxes_xyxy", "box_xyxy"), ("scores", "score")]
)
def test_a_box_that_is_not_finite_is_named(part: str, name: str):
    path = make_path(0, 2)
    values = getattr(path, part).copy()
    values[1] = np.nan
    broken = make_sighting()
    object.__setattr__(path, part, values)
    with pytest.raises(WireFormatError, match=rf"^path\.{name}: expected a finite number, got nan$"):
        codec.tracklet_to_dict(replace(broken, path=path))
