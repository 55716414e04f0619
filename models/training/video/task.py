"""Training of a network of clips."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.reid._video import Clips, VideoOutput
from models.summary import read_embedder
from models.training._engine import Batch
from models.training._worlds import World
from models.training.video.augment import augment
from models.training.video.batches import draw_epoch
from models.training.video.frames import frame_scheme
from models.training.video.objective import Objective
from models.training.video.recipe import load_recipe
from models.training.video.scoring import ClipSettings, distances_between, embed_tracklets
from models.training.video.sources import ClipSource, WorldTracklets
from pipeline.core.errors import DataError
from pipeline.evaluation.retrieval import LabelledVectors, score_distances


class NamedClips(nn.Module):
    """A network with classifiers of everybody it learns from, and what it is punished for.

    Args:
        network: A network of clips.
        objective: Its losses.
    """

    def __init__(self, network: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, clips: Clips) -> VideoOutput:
        """Return what the network says."""
        output: VideoOutput = self.network(clips)
        return output


class VideoTask:
    """Tells people apart by clips.

    Args:
        worlds: To learn from.
        held_out: To score with.
        seed: Of the drawing.
        device: Of the loss.
        max_bytes: Of decoded crops.
        model: A choice of ``configs/embedder`` that is a network of clips.
        changes: Settings of it by key, as ``models.summary`` takes them: ``{network.width_mult: 0.25}``.
        recipe: A choice of ``configs/recipe``; None for that of the model's paper.
        recipe_changes: Values of it by key.
        min_visible: Least part of a person that a crop must show.

    Raises:
        ConfigError: If there is no such model, recipe or setting.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        held_out: Sequence[World],
        *,
        seed: int,
        device: torch.device,
        max_bytes: int,
        model: str = "lstrl_light",
        changes: Mapping[str, object] | None = None,
        recipe: str | None = None,
        recipe_changes: Mapping[str, object] | None = None,
        min_visible: float = 0.4,
    ) -> None:
        embedder = read_embedder(model, {key: str(value) for key, value in (changes or {}).items()})
        self.recipe = load_recipe(recipe or model.split("_")[0], **(recipe_changes or {}))
        self.learning_rate, self.weight_decay = self.recipe.learning_rate, self.recipe.weight_decay
        self._seed, self._device = seed, device
        self.settings = ClipSettings.of(embedder)
        self._frames = frame_scheme(self.recipe.frames)
        self.source: ClipSource = WorldTracklets(
            worlds, crop_hw=self.settings.crop_hw, min_visible=min_visible, max_bytes=max_bytes
        )
        self.held_out: ClipSource = WorldTracklets(
            held_out, crop_hw=self.settings.crop_hw, min_visible=min_visible, max_bytes=0
        )
        self.batches_per_epoch = len(self._draw_epoch(0))

    def make_network(self) -> NamedClips:
        """Return a network that knows nobody."""
        num_ids = int(self.source.people.max()) + 1
        network = self.settings.make(num_ids)
        feature_dim = network.necks[0].norm.num_features if hasattr(network, "necks") else network.vector_dim
        return NamedClips(network, Objective(self.recipe, num_ids=num_ids, feature_dim=feature_dim))

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, as the recipe says."""
        return self.recipe.rate(step / self.batches_per_epoch)

    def draw(self, step: int) -> Batch:
        """Return a step's clips ``(B, T, h, w, 3)``, keypoints ``(B, T, 17, 3)`` and who is on them."""
        epoch, number = divmod(step, self.batches_per_epoch)
        rows = self._draw_epoch(epoch)[number]
        rng = np.random.default_rng([self._seed, 1, step])
        clips = [self._draw_clip(row, rng) for row in rows]
        return {
            "pixels": np.stack([images for images, _ in clips]),
            "keypoints": np.stack([keypoints for _, keypoints in clips]),
            "identities": self.source.people[rows],
        }

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss and its parts."""
        assert isinstance(network, NamedClips)
        output = network(self.settings.clips(batch["pixels"], batch["keypoints"]))
        parts: dict[str, Tensor] = network.objective(output, batch["identities"])
        return parts

    def score(self, network: nn.Module) -> dict[str, float]:
        """Return mAP and rank 1 of tracklets held out, each looked for in the other cameras."""
        return self.score_on(network, self.held_out)

    def score_on(self, network: nn.Module, source: ClipSource) -> dict[str, float]:
        """Return mAP and rank 1 of tracklets, each looked for in the other cameras; nothing if there are none."""
        assert isinstance(network, NamedClips)
        if not len(source.people):
            return {}
        vectors = embed_tracklets(network.network, source, self.settings, self._device)
        labelled = LabelledVectors(vectors.cpu().numpy(), source.people, source.cameras)
        try:
            score = score_distances(distances_between(vectors, vectors), labelled, labelled)
        except DataError:
            # Worlds in which nobody is seen twice have no score.
            return {}
        return {"mean_ap": score.mean_ap, "rank1": float(score.cmc[0])}

    def _draw_epoch(self, epoch: int) -> NDArray[np.int64]:
        recipe = self.recipe
        rng = np.random.default_rng([self._seed, 0, epoch])
        return draw_epoch(
            self.source.people,
            scheme=recipe.batches,
            num_people=recipe.num_people,
            num_each=recipe.num_each,
            rng=rng,
        )

    def _draw_clip(self, row: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        indices = self._frames(int(self.source.lengths[row]), self.settings.clip_len, rng)
        images, keypoints = self.source.clip(row, indices)
        recipe = self.recipe
        return augment(images, keypoints, rng, flip=recipe.flip, crop=recipe.crop, erasing=recipe.erasing)
