"""Who looks like that: pictures of sightings ranked by how likely they show the same person."""

import threading
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.console.search.networks import RunNetworks
from connectors.console.search.probability import ProbabilityScale
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.pictures import PictureStore
from pipeline.core import TrackId, TrackPart

Image = NDArray[np.uint8]

MAX_PICTURES = 3000
"""The newest ones are compared; of each track the best."""
PER_TRACK = 3


@dataclass(frozen=True, slots=True)
class SimilarPerson:
    """Somebody who looks like a picture.

    Attributes:
        person_id: Who.
        probability: That it is the same person, in [0, 1].
        part: Which of their pictures is the most alike.
    """

    person_id: int
    probability: float
    part: TrackPart


class SimilaritySearch:
    """Knows what the kept pictures look like; vectors are made when first needed, and stay in memory alone.

    Args:
        ledger_view: Whose pictures they are.
        pictures: The pictures.
        networks: Of the run.
        probability_scale: Of the run.
    """

    def __init__(
        self,
        ledger_view: LedgerView,
        pictures: PictureStore,
        networks: RunNetworks,
        probability_scale: ProbabilityScale,
    ) -> None:
        self._ledger_view = ledger_view
        self._pictures = pictures
        self._networks = networks
        self._odds = probability_scale
        self._vectors: dict[TrackPart, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def rank(
        self, image: Image, user: User, *, limit: int, other_than: TrackId | None = None
    ) -> tuple[list[SimilarPerson], int]:
        """Return who may be in a picture, the likeliest first, and how many pictures were compared.

        A person is as far away as all of their pictures on average, which is how the line itself compares.

        Args:
            image: One whole person, cut out.
            user: Who asks; pictures of cameras that they may not see are not compared.
            limit: So many people at most.
            other_than: A track whose pictures are left out.

        Raises:
            ReidError: If the run's networks are not here.
        """
        (wanted,) = self._networks.looks([image])
        persons: dict[int, list[tuple[float, TrackPart]]] = {}
        known = self._known()
        for part, vector in known.items():
            if part.track_id == other_than or not user.sees(part.track_id.camera_id):
                continue
            person_id = self._ledger_view.person_of(part)
            persons.setdefault(person_id, []).append((float(1 - wanted @ vector), part))
        means = {person_id: float(np.mean([distance for distance, _ in found])) for person_id, found in persons.items()}
        ranked = sorted(means, key=means.__getitem__)[:limit]
        sure = self._odds.probabilities([means[person_id] for person_id in ranked])
        nearest = [min(persons[person_id], key=lambda each: each[0])[1] for person_id in ranked]
        return [SimilarPerson(*each) for each in zip(ranked, sure, nearest, strict=True)], sum(
            map(len, persons.values())
        )

    def _known(self) -> dict[TrackPart, NDArray[np.float32]]:
        """Return what the best pictures of the newest tracks look like; those that are gone are forgotten."""
        with self._lock:
            wanted = self._best()
            self._vectors = {part: self._vectors[part] for part in wanted if part in self._vectors}
            images = {part: self._image(part) for part in wanted if part not in self._vectors}
            new = {part: image for part, image in images.items() if image is not None}
            self._vectors |= zip(new, self._networks.looks(list(new.values())), strict=True)
            return dict(self._vectors)

    def _best(self) -> list[TrackPart]:
        by_track: dict[TrackId, list[tuple[float, TrackPart]]] = {}
        for span, _ in self._ledger_view.spans():
            quality = self._pictures.qualities(span.part.track_id).get(span.part.part)
            if quality is not None:
                by_track.setdefault(span.part.track_id, []).append((quality, span.part))
        best = [part for found in by_track.values() for _, part in sorted(found, reverse=True)[:PER_TRACK]]
        return best[-MAX_PICTURES:]

    def _image(self, part: TrackPart) -> Image | None:
        picture = self._pictures.get(part)
        return None if picture is None else decoded(picture.jpeg)


def decoded(jpeg: bytes) -> Image:
    """Return a JPEG of our own as RGB."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
