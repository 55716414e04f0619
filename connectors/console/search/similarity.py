"""Similarity search: the people whose pictures most probably show the person in a given picture."""

import threading
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.console.search.networks import RunNetworks, is_blank
from connectors.console.search.probability import ProbabilityScale
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.pictures import PictureStore
from pipeline.core import TrackId, TrackPart

Image = NDArray[np.uint8]

MAX_PICTURES = 3000
"""Pictures compared, the newest; a larger number needs more memory and a longer first search."""

PER_TRACK = 3
"""Best pictures compared per track; more per track leave room for fewer tracks."""


@dataclass(frozen=True, slots=True)
class SimilarPerson:
    """A person who looks like the one in a picture.

    Attributes:
        person_id: The person.
        probability: Probability that they are the same person, in [0, 1].
        part: The track part with the most similar picture of that person.
    """

    person_id: int
    probability: float
    part: TrackPart


class SimilaritySearch:
    """Compares pictures by their embeddings, which are computed when first needed and held in memory only.

    Args:
        ledger_view: Gives the current person of each picture.
        pictures: The stored pictures.
        networks: Networks of the run.
        probability_scale: Calibration of the run.
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
        self._probability_scale = probability_scale
        self._vectors: dict[TrackPart, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def rank(
        self, image: Image, user: User, *, limit: int, other_than: TrackId | None = None
    ) -> tuple[list[SimilarPerson], int]:
        """Return the people who may be in a picture, the most probable first, and how many pictures were compared.

        The distance to a person is the mean over all of their pictures, as in the pipeline.

        Args:
            image: Cut-out of one whole person, shape ``(h, w, 3)``, uint8, RGB.
            user: Who asks; pictures of cameras that this user may not see are not compared.
            limit: Number of people returned, at most.
            other_than: A track whose pictures are left out.

        Raises:
            ReidError: If the networks of the run cannot be built on this machine.
        """
        (wanted,) = self._networks.embed([image])
        persons: dict[int, list[tuple[float, TrackPart]]] = {}
        known = self._known()
        for part, vector in known.items():
            if part.track_id == other_than or not user.sees(part.track_id.camera_id):
                continue
            person_id = self._ledger_view.person_of(part)
            persons.setdefault(person_id, []).append((float(1 - wanted @ vector), part))
        means = {person_id: float(np.mean([distance for distance, _ in found])) for person_id, found in persons.items()}
        ranked = sorted(means, key=means.__getitem__)[:limit]
        probabilities = self._probability_scale.probabilities([means[person_id] for person_id in ranked])
        nearest = [min(persons[person_id], key=lambda each: each[0])[1] for person_id in ranked]
        num_compared = sum(map(len, persons.values()))
        return [SimilarPerson(*each) for each in zip(ranked, probabilities, nearest, strict=True)], num_compared

    def _known(self) -> dict[TrackPart, NDArray[np.float32]]:
        """Return the embeddings of the best pictures of the newest tracks; drop those of deleted pictures."""
        with self._lock:
            wanted = self._best()
            self._vectors = {part: self._vectors[part] for part in wanted if part in self._vectors}
            images = {part: self._image(part) for part in wanted if part not in self._vectors}
            new = {part: image for part, image in images.items() if image is not None and not is_blank(image)}
            self._vectors |= zip(new, self._networks.embed(list(new.values())), strict=True)
            return dict(self._vectors)

    def _best(self) -> list[TrackPart]:
        """Return the parts with the best pictures of each of the newest tracks, oldest track first."""
        best: list[TrackPart] = []
        for spans in self._ledger_view.newest_tracks(MAX_PICTURES):
            qualities = self._pictures.qualities(spans[0][0].part.track_id)
            found = [(qualities[span.part.part], span.part) for span, _ in spans if span.part.part in qualities]
            best += [part for _, part in sorted(found, reverse=True)[:PER_TRACK]]
            if len(best) >= MAX_PICTURES:
                break
        return best[:MAX_PICTURES][::-1]

    def _image(self, part: TrackPart) -> Image | None:
        picture = self._pictures.get(part)
        return None if picture is None else decoded(picture.jpeg)


def decoded(jpeg: bytes) -> Image:
    """Return a JPEG that the page stored as an image of shape ``(h, w, 3)``, uint8, RGB."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
