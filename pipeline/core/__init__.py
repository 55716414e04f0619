"""The records that flow through the pipeline, and the interfaces of plug-ins. Imports numpy only."""

from pipeline.core.alert import Alert, AlertState, Severity
from pipeline.core.correction_command import CommandKind, CorrectionCommand
from pipeline.core.detections import Detections
from pipeline.core.embedding import Embedding
from pipeline.core.frame import Frame, FrameStamp, LetterboxedFrame
from pipeline.core.identity import Correction, CorrectionKind, Evidence, Identity, Match, Outcome, Sighting
from pipeline.core.interfaces import (
    AlertRule,
    CountsCalls,
    Detector,
    Embedder,
    Gallery,
    Monitor,
    PoseEstimator,
    PoseNeed,
    Record,
    ReExportableSink,
    RemoteSink,
    ReportingSink,
    ReportingSource,
    RewindableSink,
    Sink,
    Source,
    Tracker,
    calls_of,
)
from pipeline.core.stage import Stage, Stateful
from pipeline.core.track import UNCONFIRMED, TrackId, Tracklet, TrackPart, TrackPath, TrackUpdate

__all__ = [
    "UNCONFIRMED",
    "Alert",
    "AlertRule",
    "AlertState",
    "CommandKind",
    "Correction",
    "CorrectionCommand",
    "CorrectionKind",
    "CountsCalls",
    "Detections",
    "Detector",
    "Embedder",
    "Embedding",
    "Evidence",
    "Frame",
    "FrameStamp",
    "Gallery",
    "Identity",
    "LetterboxedFrame",
    "Match",
    "Monitor",
    "Outcome",
    "PoseEstimator",
    "PoseNeed",
    "ReExportableSink",
    "Record",
    "RemoteSink",
    "ReportingSink",
    "ReportingSource",
    "RewindableSink",
    "Severity",
    "Sighting",
    "Sink",
    "Source",
    "Stage",
    "Stateful",
    "TrackId",
    "TrackPart",
    "TrackPath",
    "TrackUpdate",
    "Tracker",
    "Tracklet",
    "calls_of",
]
