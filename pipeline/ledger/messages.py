"""The messages of events: what files, topics and webhooks hold, field by field.

``python -m pipeline.ledger.schemas connectors/schemas`` generates the schema files from these structs. A new field is
added here, with its description and limits, and is filled in ``codec``.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pipeline.core import AlertState, CorrectionKind, Outcome, Severity

SCHEMA: Literal[1] = 1
"""Number of the message format. A reader refuses messages of another number."""

SchemaNumber = Annotated[Literal[1], Meta(description="Number of this format.")]
EVENT = Meta(description="What this object is.")
PersonId = Annotated[int, Meta(description="The number of the person, the same in every camera.")]
CameraId = Annotated[str, Meta(description="Name of the camera in the site's configuration.")]
Track = Annotated[
    str,
    Meta(
        description="camera_id/session/number; session is Unix seconds of the tracker's start, 0 in a recording.",
        # Only in the schema: its "." knows no line breaks, and ``TrackId.parse`` is what decodes.
        extra_json_schema={"pattern": "^.+/-?[0-9]+/-?[0-9]+$"},
    ),
]
PartNumber = Annotated[int, Meta(ge=0, description="Which part of the track: 0, 1, 2 …")]
FrameIndex = Annotated[int, Meta(ge=0, description="Frame number in the camera's stream, from 0.")]
CapturedAt = Annotated[
    float, Meta(description="Unix seconds, UTC; a recording that does not say when it began starts at 0.")
]
IsLast = Annotated[bool, Meta(description="The track has ended.")]
CountKind = Literal["line", "zone", "camera", "zone_flow", "flow", "visitors"]
Box = Annotated[list[float], Meta(min_length=4, max_length=4)]


class StampMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """Index and time of a frame; the camera is given one level up."""

    index: FrameIndex
    captured_at: CapturedAt


class RunnerUpMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The best other candidate of a sighting."""

    person_id: PersonId
    distance: Annotated[float, Meta(ge=0, le=2, description="Cosine distance in [0, 2], lower is closer.")]


class PartMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """Names one sighting."""

    track: Track
    part: PartNumber


class BoxMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A box of a tracklet."""

    index: FrameIndex
    captured_at: CapturedAt
    box_xyxy: Annotated[Box, Meta(description="Left, top, right, bottom, pixels of the frame.")]
    score: Annotated[float, Meta(ge=0, le=1, description="Confidence of the detector.")]


class SightingMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a track shows a person. A line of sightings.jsonl."""

    schema: SchemaNumber
    event: Annotated[Literal["sighting"], EVENT]
    person_id: PersonId
    camera_id: CameraId
    track: Track
    part: PartNumber
    first: Annotated[StampMessage, Meta(description="First frame of this part of the track.")]
    last: Annotated[StampMessage, Meta(description="Last frame of this part of the track.")]
    box_xyxy: Annotated[
        Box, Meta(description="Box in the last frame, pixels of the full frame: left, top, right, bottom.")
    ]
    outcome: Annotated[
        Outcome,
        Meta(
            description="matched: a known person; new: no known person is like this; tentative: new for now, perhaps "
            "runner_up."
        ),
    ]
    distance: Annotated[
        Annotated[float, Meta(ge=0, le=2)] | None,
        Meta(description="Cosine distance to the person in [0, 2], lower is closer; null if new."),
    ]
    probability: Annotated[
        float, Meta(ge=0, le=1, description="Calibrated probability that person_id is right, in [0, 1].")
    ]
    runner_up: Annotated[RunnerUpMessage | None, Meta(description="The best other candidate, or null.")]
    gates: Annotated[list[str], Meta(description="Why other candidates were ruled out, in words.")]
    num_frames: Annotated[int, Meta(ge=0, description="Frames of this part in which the person has a box.")]
    is_last: IsLast
    evidence: Annotated[
        dict[str, float],
        Meta(
            description="About the person or, if new, about the runner-up: log-likelihood ratios (natural logarithms) "
            "of appearance (looks) and of the spatio-temporal cue (way), the ratio that acceptance required (needed), "
            "and the quality of the crops; empty if there was no candidate."
        ),
    ]


class TrackletMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a track, box by box. The sighting of the same track and part says who it is."""

    schema: SchemaNumber
    event: Annotated[Literal["tracklet"], EVENT]
    camera_id: CameraId
    track: Track
    part: PartNumber
    frame_hw: Annotated[
        list[Annotated[int, Meta(ge=1)]],
        Meta(min_length=2, max_length=2, description="Height and width of the frames, pixels."),
    ]
    path: Annotated[
        list[BoxMessage], Meta(min_length=1, description="Each box since the previous part, in order of time.")
    ]
    is_last: IsLast


class NameMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person is called."""

    person_id: PersonId
    name: str


class ListingMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """How a person is on the watch-list, besides their name."""

    person_id: PersonId
    severity: Annotated[
        Literal["", "info", "warning", "critical"],
        Meta(description="How urgent alerts about this person are; empty: as urgent as the rule."),
    ] = ""
    expires_at: Annotated[
        float | None,
        Meta(description="Unix seconds by the wall clock from which on the person is off the list; null: for good."),
    ] = None


class CorrectionMessage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An earlier decision was wrong, or is certain by now. A line of corrections.jsonl."""

    schema: SchemaNumber
    event: Annotated[Literal["correction"], EVENT]
    kind: Annotated[
        CorrectionKind,
        Meta(
            description="merged: person_ids are [kept, absorbed]; split: person_ids are [from, to], and parts belong "
            "to the second from now on; confirmed: the decision is certain, and a second of person_ids is a different "
            "person; named: the person is called name and is on the watch-list, or is taken off it if name is empty; "
            "erased: the people are forgotten; undone: the operator's command undoes is as if it had never been given: "
            "parts go from the first of person_ids back to the second, for whom the rest of the numbers stand again."
        ),
    ]
    person_ids: Annotated[list[PersonId], Meta(description="The people it concerns.")]
    by: Annotated[str, Meta(description="The operator's name, or the rule that found it.")]
    at: Annotated[float, Meta(description="Unix seconds, event time.")]
    parts: Annotated[
        list[PartMessage],
        Meta(
            description="The sightings that move to another person; empty where kind implies them. Of named: the "
            "enrolled pictures that come with the name, or go with it for good."
        ),
    ]
    reason: Annotated[str, Meta(description="Why, in words; may be empty.")]
    name: Annotated[str, Meta(description="What the person is called from now on; empty except for named.")]
    command: Annotated[
        int, Meta(ge=0, description="Number of the operator's command that led to it; absent if the pipeline found it.")
    ] = 0
    undoes: Annotated[int, Meta(ge=0, description="Number of the command that is undone; undone only.")] = 0
    names: Annotated[
        list[NameMessage],
        Meta(description="What these people are called from now on, an empty name is none; undone only."),
    ] = []
    listings: Annotated[
        list[ListingMessage],
        Meta(description="How these people are on the watch-list from now on; named and undone only."),
    ] = []


class AlertMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """An alert to an operator. A line of alerts.jsonl and the body of a webhook. The highest revision holds."""

    schema: SchemaNumber
    event: Annotated[Literal["alert"], EVENT]
    key: Annotated[
        str,
        Meta(
            description="rule/person/started_at/place. Delivery is at least once; receivers drop repeats by key and "
            "revision."
        ),
    ]
    state: Annotated[
        AlertState,
        Meta(
            description="raised at first; amended under the same key when the situation ends, repeats or is corrected; "
            "retracted when it proves false; an operator may acknowledge it."
        ),
    ]
    rule: Annotated[str, Meta(description="Name of the rule that raised it.")]
    severity: Annotated[Severity, Meta(description="How urgent.")]
    person_id: PersonId
    camera_id: CameraId
    started_at: Annotated[float, Meta(description="Unix seconds, event time: when the reported situation began.")]
    raised_at: Annotated[float, Meta(description="Unix seconds, event time: when the rule raised it.")]
    message: Annotated[str, Meta(description="One sentence for a person.")]
    evidence: Annotated[list[Track], Meta(description="The tracks that show it.")]
    place: Annotated[str, Meta(description="Zone, line or camera where it happens; may be empty.")] = ""
    ended_at: Annotated[
        float | None, Meta(description="Unix seconds, event time: when the situation was over; null while it lasts.")
    ] = None
    count: Annotated[
        int, Meta(ge=1, description="How often it occurred; above 1 if the cool-down held repeats back.")
    ] = 1
    revision: Annotated[
        int,
        Meta(
            ge=1,
            description="Number of this state of the alert: 1, 2, 3 …; the state with the highest number holds. An "
            "acknowledgement has the number of the state that it is about. Objects of versions that did not number "
            "have none.",
        ),
    ] = 1
    clip: Annotated[
        str | UnsetType,
        Meta(description="Path of the video around raised_at, below the output folder; absent where none is kept."),
    ] = UNSET


class CountMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A count of one interval. A line of counts.jsonl and the body on Kafka. The newest object of its key holds."""

    schema: SchemaNumber
    event: Annotated[Literal["count"], EVENT]
    kind: Annotated[CountKind, Meta(description="What is counted.")]
    since: Annotated[float, Meta(description="Unix seconds, event time: when the interval began.")]
    until: Annotated[float, Meta(description="Unix seconds, event time: when it ended.")]
    place: Annotated[str, Meta(description="Line, zone or camera; empty for visitors.")]
    to: Annotated[str, Meta(description="Of a flow: the zone or camera to which people went.")] = ""
    left_to_right: Annotated[int, Meta(ge=0, description="Of a line: people who crossed it so, on the screen.")] = 0
    right_to_left: Annotated[int, Meta(ge=0, description="Of a line: people who crossed it so, on the screen.")] = 0
    entered: Annotated[int, Meta(ge=0, description="Of a zone or camera: times that somebody came in.")] = 0
    left: Annotated[int, Meta(ge=0, description="Of a zone or camera: times that somebody left.")] = 0
    people: Annotated[int, Meta(ge=0, description="Different people.")] = 0
    most: Annotated[int, Meta(ge=0, description="Of a zone or camera: people at once, at most.")] = 0
    mean: Annotated[float, Meta(ge=0, description="Of a zone or camera: people at once, on average.")] = 0.0
    dwell_p50_s: Annotated[
        float | None, Meta(description="Seconds that half of those who left had stayed for at most; null if none left.")
    ] = None
    dwell_p95_s: Annotated[float | None, Meta(description="The same for 95 of 100.")] = None
    num: Annotated[int, Meta(ge=0, description="Of a flow: times that somebody went this way.")] = 0
    p50_s: Annotated[float | None, Meta(description="Of a flow: the median of the seconds between the two.")] = None
    low: Annotated[int, Meta(ge=0, description="Of visitors: lower end of the 95 % interval.")] = 0
    high: Annotated[int, Meta(ge=0, description="Of visitors: upper end of the 95 % interval.")] = 0


EventMessage = SightingMessage | TrackletMessage | CorrectionMessage | AlertMessage
