"""Records for tests, as the contract tests of plug-ins make them."""

from pipeline.contracts.records import (
    BOX,
    FRAME_HW,
    make_detections,
    make_embedding,
    make_frame,
    make_path,
    make_sighting,
    make_stamp,
    make_tracklet,
    make_vector,
)

__all__ = [
    "BOX",
    "FRAME_HW",
    "make_detections",
    "make_embedding",
    "make_frame",
    "make_path",
    "make_sighting",
    "make_stamp",
    "make_tracklet",
    "make_vector",
]
