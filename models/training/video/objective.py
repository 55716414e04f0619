"""The objective of a video network: the losses that its recipe weighs."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.networks.asanet import IRRELEVANT, RELEVANT
from models.reid.networks.clip_network import VideoOutput, in_float32
from models.reid.networks.ctl import diversity
from models.reid.networks.rapa import inter_frame_distance
from models.training.video.losses import (
    CenterLoss,
    attribute_loss,
    batch_hard,
    pair_distances,
    pose_motion_invariance,
    weighted_regularisation_triplet,
)
from models.training.video.recipe import Recipe

_LEARNT_ATTRIBUTES, _LATE_FACTOR = 0.15, 2.0
"""ASA-Net, Sec. IV-B: once attributes cost less than this, pose invariance counts twice as much."""


class Objective(nn.Module):
    """The losses of a recipe. Its centres are trained along with the network, by an optimiser of their own.

    Args:
        recipe: Which losses, and what they weigh.
        num_ids: People.
        feature_dim: Length of the first branch's feature, which the centres are of.
    """

    def __init__(self, recipe: Recipe, *, num_ids: int, feature_dim: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.centers = CenterLoss(num_ids, feature_dim, weight=recipe.center) if recipe.center else None
        self.register_buffer("has_learnt_attributes", torch.zeros((), dtype=torch.bool))

    def forward(self, output: VideoOutput, people_B: Tensor, attributes: tuple[Tensor, ...] = ()) -> dict[str, Tensor]:
        """Return the total under ``loss``, and its parts, weighed.

        Args:
            output: Of the network in training.
            people_B: Who is who.
            attributes: Targets, of those of a person and, if known, of pose and motion, ``(B, D)`` each; nothing if
                the data set has none.
        """
        # Nothing here is worth computing in fewer bits.
        with in_float32(people_B):
            parts = self._of_branches(output, people_B) | self._of_extras(output.extras, attributes)
            if self.centers is not None:
                parts["center"] = self.centers(output.features[0], people_B)
            if self.recipe.pose_invariance:
                weight = self.recipe.pose_invariance * (_LATE_FACTOR if self.has_learnt_attributes else 1.0)
                poses = output.extras["pose_and_motion"]
                parts["pose"] = weight * pose_motion_invariance(output.features[0], poses, people_B)
            return parts | {"loss": torch.stack(list(parts.values())).sum()}

    def _of_branches(self, output: VideoOutput, people_B: Tensor) -> dict[str, Tensor]:
        """Return what names and triplets cost, summed over branches."""
        names, triplets = [], []
        for feature, logits in zip(output.features, output.logits, strict=True):
            names.append(functional.cross_entropy(logits.float(), people_B, label_smoothing=self.recipe.smoothing))
            distances = pair_distances(feature, self.recipe.metric)
            if self.recipe.triplet == "weighted":
                triplets.append(weighted_regularisation_triplet(distances, people_B))
            else:
                triplets.append(batch_hard(distances, people_B, margin=self.recipe.margin))
        return {"name": torch.stack(names).sum(), "triplet": torch.stack(triplets).sum()}

    def _of_extras(self, extras: dict[str, Tensor], attributes: tuple[Tensor, ...]) -> dict[str, Tensor]:
        parts = {}
        if self.recipe.frame_distance and "part_vectors" in extras:
            distance = inter_frame_distance(extras["part_vectors"].float())
            parts["frames"] = self.recipe.frame_distance * distance
        if self.recipe.diversity and "parts" in extras:
            parts["diversity"] = self.recipe.diversity * diversity(extras["parts"])
        predicted = [extras[name] for name in (f"attributes_{RELEVANT}", f"attributes_{IRRELEVANT}") if name in extras]
        if self.recipe.attributes and attributes and predicted:
            is_known_B = torch.cat(attributes, dim=1).any(1)
            cost = attribute_loss(predicted, attributes, is_known_B)
            parts["attributes"] = self.recipe.attributes * cost
            if bool(is_known_B.any()) and cost.detach() < _LEARNT_ATTRIBUTES:
                self.has_learnt_attributes.fill_(True)
        return parts
