"""The objective of a video network: the losses that its recipe weighs."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.networks.attribute_groups import IRRELEVANT, LOGITS, POSE_AND_MOTION
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
from pipeline.core.errors import ConfigError

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
        self.centers: CenterLoss | None = None
        if recipe.center:
            self.centers = CenterLoss(
                num_ids,
                feature_dim,
                weight=recipe.center,
                reduction=recipe.center_reduction,
                half=recipe.center_half,
                squared=recipe.center_squared,
            )
        self.register_buffer("has_learnt_attributes", torch.zeros((), dtype=torch.bool))

    def forward(
        self, output: VideoOutput, people_B: Tensor, attributes: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return the total under ``loss``, and its parts, weighed.

        Args:
            output: Of the network in training.
            people_B: Who is who.
            attributes: Targets by group, ``(B, D)`` each; those that no branch names are not used.

        Raises:
            ConfigError: As ``check_attributes`` says.
        """
        targets = attributes or {}
        logits = {name.removeprefix(LOGITS): out for name, out in output.extras.items() if name.startswith(LOGITS)}
        check_attributes(
            self.recipe,
            named={name: out.shape[1] for name, out in logits.items()},
            known={name: target.shape[1] for name, target in targets.items()},
            has_pose=POSE_AND_MOTION in output.extras,
        )
        # Nothing here is worth computing in fewer bits.
        with in_float32(people_B):
            parts = self._of_branches(output, people_B) | self._of_extras(output.extras)
            parts |= self._of_attributes(logits, targets)
            if self.centers is not None:
                parts["center"] = self.centers(output.features[0], people_B)
            if self.recipe.pose_invariance:
                weight = self.recipe.pose_invariance * (_LATE_FACTOR if self.has_learnt_attributes else 1.0)
                poses = output.extras[POSE_AND_MOTION]
                cost = pose_motion_invariance(output.features[0], poses, people_B, sign=self.recipe.pose_sign)
                parts["pose"] = weight * cost
            return parts | {"loss": torch.stack(list(parts.values())).sum()}

    def _of_branches(self, output: VideoOutput, people_B: Tensor) -> dict[str, Tensor]:
        """Return what names and triplets cost, summed over branches."""
        names, triplets = [], []
        for feature, logits in zip(output.features, output.logits, strict=True):
            names.append(functional.cross_entropy(logits.float(), people_B, label_smoothing=self.recipe.smoothing))
            distances = pair_distances(feature, self.recipe.metric)
            if self.recipe.triplet == "weighted":
                triplets.append(
                    weighted_regularisation_triplet(distances, people_B, include_self=self.recipe.include_self)
                )
            else:
                triplets.append(batch_hard(distances, people_B, margin=self.recipe.margin))
        return {"name": torch.stack(names).sum(), "triplet": torch.stack(triplets).sum()}

    def _of_extras(self, extras: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parts = {}
        if self.recipe.frame_distance and "part_vectors" in extras:
            distance = inter_frame_distance(extras["part_vectors"].float())
            parts["frames"] = self.recipe.frame_distance * distance
        if self.recipe.diversity and "parts" in extras:
            parts["diversity"] = self.recipe.diversity * diversity(extras["parts"])
        return parts

    def _of_attributes(self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if not self.recipe.attributes or not logits:
            return {}
        wanted = [targets[name] for name in logits]
        is_known_B = torch.cat(wanted, dim=1).any(1)
        cost = attribute_loss(list(logits.values()), wanted, is_known_B, reduction=self.recipe.attribute_reduction)
        if bool(is_known_B.any()) and cost.detach() < _LEARNT_ATTRIBUTES:
            self.has_learnt_attributes.fill_(True)
        return {"attributes": self.recipe.attributes * cost}


def check_attributes(recipe: Recipe, *, named: Mapping[str, int], known: Mapping[str, int], has_pose: bool) -> None:
    """Raise where a recipe asks for attributes that a network does not name, or data do not say.

    Args:
        recipe: Whose weights of attributes and pose invariance are asked for.
        named: By group, how many classes the network names.
        known: By group, how many classes there are labels of.
        has_pose: Whether the network gives a vector of pose and motion.

    Raises:
        ConfigError: If so; it says which key takes it back.
    """
    if recipe.pose_invariance and not (has_pose and recipe.attributes and known.get(IRRELEVANT)):
        raise ConfigError(
            f"recipe.pose_invariance: expected 0 where no branch learns pose and motion from labels of {IRRELEVANT}, "
            f"got {recipe.pose_invariance}; set options.recipe_changes={{pose_invariance: 0}}"
        )
    for name, count in named.items() if recipe.attributes else ():
        got = known.get(name, 0)
        if got == count:
            continue
        if got:
            remedy = f"set options.changes={{network.num_{name.removeprefix('id_')}: {got}}}"
        elif known:
            remedy = "set options.changes={network.fusion: a, 'network.branches': '[identity, id_relevant]'}"
        else:
            remedy = "name options.dataset.attributes=, or set options.recipe_changes={attributes: 0}"
        raise ConfigError(
            f"attributes: expected labels of {count} classes of the group {name}, which the network names, "
            f"got {got or 'none'}; {remedy}"
        )
