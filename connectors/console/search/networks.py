"""The detector and embedder of the run, applied to the pictures of a search."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.camera.detection import PADDING, DetectionStage, letterbox
from pipeline.config.plugins import attribute, build
from pipeline.core import Embedding, Frame, FrameStamp, PoseNeed, TrackId, Tracklet
from pipeline.core.errors import ConfigError, DataError
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.enrolment import blank_pictures, enrolment_tracklet
from pipeline.embedding.pose import PoseStage

logger = logging.getLogger(__name__)

Image = NDArray[np.uint8]
Vectors = NDArray[np.float32]

MIN_SCORE = 0.4
"""Detection score in [0, 1] that a person in an uploaded picture needs; chosen pictures show people clearly."""

MIN_HEIGHT_PX = 32.0
"""Height that a person in an uploaded picture needs, pixels; smaller people are hard to recognise."""

BATCH = 16
"""Pictures embedded at once; a larger batch needs more memory and holds the lock longer."""


BLANK = "picture: expected a picture of a person, got one colour all over; choose another"
"""What is said of a picture that shows nothing."""


def is_blank(image: Image) -> bool:
    """Return whether a picture shows nothing: it has one colour all over."""
    return bool(blank_pictures([_frame(image)]))


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks of a run, built from its configuration.

    Attributes:
        detect: Finds people.
        input_hw: Input size of the detector, pixels.
        pose: Finds keypoints; None if the embedder needs none.
        embed: Turns crops into embeddings.
        crop_size_hw: Size of a crop, pixels.
    """

    detect: DetectionStage
    input_hw: tuple[int, int]
    pose: PoseStage | None
    embed: EmbeddingStage
    crop_size_hw: tuple[int, int]


class RunNetworks:
    """Builds the networks of a run at their first use; one caller uses them at a time.

    Args:
        output_dir: Output folder of the run, with its ``config.yaml``.
    """

    def __init__(self, output_dir: Path) -> None:
        self._path = output_dir / "config.yaml"
        self._built: Networks | None = None
        self._lock = threading.Lock()

    def people_in(self, image: Image) -> list[tuple[int, int, int, int]]:
        """Return the boxes of the people in a picture as ``(left, top, right, bottom)``, pixels, the largest first.

        A picture smaller than the detector's input is padded, not enlarged: a cut-out of a person is blurred when
        enlarged, and the detector then finds parts of the person only.

        Raises:
            ReidError: If the networks of the run cannot be built on this machine.
        """
        with self._lock:
            built = self._networks()
            height, width = image.shape[:2]
            below, beside = max(0, built.input_hw[0] - height), max(0, built.input_hw[1] - width)
            padded = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(PADDING,) * 3)
            frame = Frame(FrameStamp("picture", 0, 0.0), np.asarray(padded, np.uint8))
            found = built.detect.process([letterbox(frame, built.input_hw)])[0]
        boxes = [
            (max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1))
            for left, top, right, bottom in found.boxes_xyxy.tolist()
        ]
        return sorted(boxes, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))

    def embed(self, pictures: Sequence[Image]) -> Vectors:
        """Return the embeddings of pictures that each show one whole person, shape ``(N, D)``, L2 norm 1.

        Raises:
            DataError: If a picture shows nothing.
            ReidError: If the networks of the run cannot be built on this machine.
        """
        if any(map(is_blank, pictures)):
            raise DataError(BLANK)
        vectors: list[Vectors] = []
        with self._lock:
            built = self._networks()
            for start in range(0, len(pictures), BATCH):
                tracklets = [
                    enrolment_tracklet("picture", number, [_frame(image)], built.crop_size_hw)
                    for number, image in enumerate(pictures[start : start + BATCH], start=1)
                ]
                vectors += [embedding.vector for embedding in _embedded(built, tracklets)]
        return np.stack(vectors) if vectors else np.empty((0, 0), np.float32)

    def enrolment(self, pictures: Sequence[Image], track_id: TrackId) -> Embedding:
        """Return what pictures of one person come to, as at the start of a run.

        Args:
            pictures: At least one; each shows one whole person.
            track_id: Of the camera ``ENROLLED``.

        Raises:
            ReidError: If the networks of the run cannot be built on this machine, or the pictures show nothing.
        """
        with self._lock:
            built = self._networks()
            frames = [_frame(image) for image in pictures]
            tracklet = enrolment_tracklet(
                "pictures", track_id.number, frames, built.crop_size_hw, session=track_id.session
            )
            return _embedded(built, [tracklet])[0]

    def _networks(self) -> Networks:
        if self._built is None:
            self._built = _built(self._path)
            logger.info("search by picture uses the networks in %s", self._path)
        return self._built


def _frame(image: Image) -> Frame:
    return Frame(FrameStamp("picture", 0, 0.0), image)


def _embedded(built: Networks, tracklets: list[Tracklet]) -> list[Embedding]:
    found = built.embed.process(tracklets if built.pose is None else built.pose.process(tracklets))
    return [embedding for embedding in found if embedding is not None]  # all: an enrolment tracklet has quality 1


def _built(path: Path) -> Networks:
    try:
        config = yaml.safe_load(path.read_text())
        height, width = config["buffer"]["crop_size_hw"]
        allow = config.get("allow_plugins") or ()
        make_embedder = build(config["embedder"], "embedder", allow=allow)
        needs = PoseNeed(attribute(make_embedder, "needs"))
        input_hw = config["detector"]["input_hw"]
        return Networks(
            detect=DetectionStage(
                build(config["detector"], "detector", allow=allow)(), min_score=MIN_SCORE, min_height_px=MIN_HEIGHT_PX
            ),
            input_hw=(int(input_hw[0]), int(input_hw[1])),
            pose=None if needs is PoseNeed.NOTHING else PoseStage(build(config["pose"], "pose", allow=allow)()),
            embed=EmbeddingStage(make_embedder(), min_quality=0.0),
            crop_size_hw=(int(height), int(width)),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path}: expected the configuration of a run, got {error!r}; search by picture needs its networks"
        ) from error
