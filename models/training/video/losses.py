"""Losses of the video networks: triplets, centres, pose, attributes.

All are means over the batch, float32 and differentiable, with finite gradients for equal samples. N samples, D numbers
of a feature. Regularisation of RAPA and diversity of CTL stand beside their networks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.core.errors import ConfigError

_EPSILON = 1e-12


def euclidean_distances(features_ND: Tensor) -> Tensor:
    """Return the Euclidean distances of all pairs, ``(N, N)``; at least 1e-6."""
    squares_N = features_ND.square().sum(1)
    squared_NN = squares_N[:, None] + squares_N[None] - 2 * features_ND @ features_ND.T
    return squared_NN.clamp(min=_EPSILON).sqrt()


def cosine_distances(features_ND: Tensor) -> Tensor:
    """Return 1 less the cosine of all pairs, ``(N, N)``."""
    unit_ND = functional.normalize(features_ND, dim=1)
    return 1 - unit_ND @ unit_ND.T


def pair_distances(features_ND: Tensor, metric: str) -> Tensor:
    """Return the distances of all pairs in a metric, euclidean or cosine, ``(N, N)``.

    Raises:
        ConfigError: If there is no such metric.
    """
    metrics = {"euclidean": euclidean_distances, "cosine": cosine_distances}
    if metric not in metrics:
        raise ConfigError(f"metric: expected euclidean or cosine, got {metric!r}")
    return metrics[metric](features_ND.float())


def batch_hard(distances_NN: Tensor, labels_N: Tensor, *, margin: float | None) -> Tensor:
    """Return by how much the farthest of the same label is not nearer than the nearest of another.

    A batch of a single label costs nothing.

    Args:
        distances_NN: Of all pairs.
        labels_N: Who is who.
        margin: By which it should be nearer; None for the soft margin.

    Reference:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737, Eq. (5);
        RAPA Eq. (9) prints a sum over anchors where all implementations take the mean.
    """
    same_NN = labels_N[:, None] == labels_N[None]
    if bool(same_NN.all()):
        return distances_NN.sum() * 0
    farthest_N = distances_NN.masked_fill(~same_NN, -torch.inf).amax(1)
    nearest_N = distances_NN.masked_fill(same_NN, torch.inf).amin(1)
    excess_N = farthest_N - nearest_N
    return (functional.softplus(excess_N) if margin is None else (excess_N + margin).relu()).mean()


def weighted_regularisation_triplet(distances_NN: Tensor, labels_N: Tensor, *, include_self: bool = False) -> Tensor:
    """Return how much nearer, softly, others of the same label should be than all others.

    Args:
        distances_NN: Euclidean, of all pairs.
        labels_N: Who is who.
        include_self: A sample is one of its own positives, as in AGW's code.

    Reference:
        Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2021;
        ASA-Net Eq. (14), which prints a sum over anchors.
    """
    same_NN = labels_N[:, None] == labels_N[None]
    positive_NN = (
        same_NN if include_self else same_NN & ~torch.eye(len(labels_N), dtype=torch.bool, device=same_NN.device)
    )
    has_both_N = positive_NN.any(1) & (~same_NN).any(1)
    if not bool(has_both_N.any()):
        return distances_NN.sum() * 0
    distances, positive, negative = distances_NN[has_both_N], positive_NN[has_both_N], ~same_NN[has_both_N]
    to_positive = (distances.masked_fill(~positive, -torch.inf).softmax(1) * distances).sum(1)
    to_negative = ((-distances).masked_fill(~negative, -torch.inf).softmax(1) * distances).sum(1)
    return functional.softplus(to_positive - to_negative).mean()


def pose_motion_invariance(features_ND: Tensor, poses_ND: Tensor, labels_N: Tensor, *, sign: int = 1) -> Tensor:
    """Return by how much a person in another pose is farther than the same person in the most similar pose.

    Both are the same person as the anchor, so neither should be farther; the printed sign is right. Samples that
    no other person of the batch is, cost nothing.

    Args:
        features_ND: Final features; only they learn.
        poses_ND: Features of pose and motion.
        labels_N: Who is who.
        sign: 1, or -1 for the difference the other way round.

    Reference:
        ASA-Net, Eq. (11)-(13).
    """
    with torch.no_grad():
        poses_NN = torch.cdist(poses_ND.float(), poses_ND.float())
        same_NN = labels_N[:, None] == labels_N[None]
        others_NN = same_NN & ~torch.eye(len(labels_N), dtype=torch.bool, device=same_NN.device)
        anchors = others_NN.any(1).nonzero()[:, 0]
        alike = poses_NN.masked_fill(~others_NN, torch.inf).argmin(1)[anchors]
        unlike = poses_NN.masked_fill(~others_NN, -torch.inf).argmax(1)[anchors]
    if not len(anchors):
        return features_ND.float().sum() * 0
    distances_NN = cosine_distances(features_ND.float())
    return (sign * (distances_NN[anchors, unlike] - distances_NN[anchors, alike])).relu().mean()


def attribute_loss(
    logits: Sequence[Tensor], targets: Sequence[Tensor], is_known_N: Tensor, *, reduction: str = "mean_concat"
) -> Tensor:
    """Return the binary cross entropy of attributes, of the samples that have any.

    Args:
        logits: ``(N, D)`` each, of groups of attributes.
        targets: Likewise, 0 or 1.
        is_known_N: Whether a sample's attributes are known.
        reduction: mean_concat: the mean over all attributes; sum_of_group_means; sum: over attributes.

    Reference:
        ASA-Net, Eq. (18), which prints no term for attributes that are absent.

    Raises:
        ConfigError: If there is no such reduction.
    """
    if reduction not in ("mean_concat", "sum_of_group_means", "sum"):
        raise ConfigError(f"bce_reduction: expected mean_concat, sum_of_group_means or sum, got {reduction!r}")
    if not bool(is_known_N.any()):
        return sum(group.float().sum() for group in logits) * 0
    costs = [
        functional.binary_cross_entropy_with_logits(group[is_known_N].float(), wanted[is_known_N], reduction="none")
        for group, wanted in zip(logits, targets, strict=True)
    ]
    if reduction == "sum_of_group_means":
        return torch.stack([cost.mean() for cost in costs]).sum()
    together = torch.cat(costs, dim=1)
    return together.mean() if reduction == "mean_concat" else together.sum(1).mean()


class CenterLoss(nn.Module):
    """How far features are from a learnt centre of their label.

    The centres have an optimiser of their own (SGD, rate 0.5). Their slope is that of the loss before it is weighed, so
    that how fast they move does not depend on the weight.

    Args:
        num_ids: Labels.
        dim: D.
        weight: Of this loss among others.
        reduction: mean over samples, or sum.
        half: Half of it, as STCA Eq. (5) and ASA-Net Eq. (15) print.
        squared: False for the distance itself, as ASA-Net prints by mistake.

    Reference:
        Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition", ECCV 2016, Eq. (2).
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        weight: float = 1.0,
        reduction: str = "mean",
        half: bool = False,
        squared: bool = True,
    ) -> None:
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise ConfigError(f"center_reduction: expected mean or sum, got {reduction!r}")
        self.centers = nn.Parameter(torch.randn(num_ids, dim))
        self.weight, self.squared = weight, squared
        self.is_sum, self.factor = reduction == "sum", 0.5 if half else 1.0

    def forward(self, features_ND: Tensor, labels_N: Tensor) -> Tensor:
        """Return the loss, weighed."""
        features_ND, centers_ND = features_ND.float(), self.centers[labels_N]
        of_centers = self._cost(features_ND.detach(), centers_ND)
        # The second term is 0, and its slope that of the centres.
        return self.weight * self._cost(features_ND, centers_ND.detach()) + (of_centers - of_centers.detach())

    def _cost(self, features_ND: Tensor, centers_ND: Tensor) -> Tensor:
        squared_N = (features_ND - centers_ND).square().sum(1).clamp(_EPSILON, 1 / _EPSILON)
        cost_N = squared_N if self.squared else squared_N.sqrt()
        return self.factor * (cost_N.sum() if self.is_sum else cost_N.mean())
