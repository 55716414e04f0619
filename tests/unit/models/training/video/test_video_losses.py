"""Losses of the video networks against loops, and where they are zero."""

import math

import pytest
import torch
from torch.nn import functional

from models.training.video.losses import (
    CenterLoss,
    attribute_loss,
    batch_hard,
    cosine_distances,
    euclidean_distances,
    pair_distances,
    pose_motion_invariance,
    weighted_regularisation_triplet,
)
from pipeline.core.errors import ConfigError

LABELS = torch.arange(4).repeat_interleave(3)


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(12, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)


def test_distances_are_those_of_every_pair(features: torch.Tensor) -> None:
    euclidean, cosine = euclidean_distances(features), cosine_distances(features)
    for i in range(12):
        for j in range(12):
            expected = (features[i] - features[j]).norm()
            # The difference of squares is rounded before its root is taken.
            torch.testing.assert_close(euclidean[i, j], expected, atol=3e-3, rtol=1e-4)
            expected = 1 - functional.cosine_similarity(features[i], features[j], dim=0)
            torch.testing.assert_close(cosine[i, j], expected, atol=1e-6, rtol=1e-5)


def test_an_unknown_metric_is_refused(features: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match="metric"):
        pair_distances(features, "manhattan")


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("margin", [0.3, None])
def test_the_hardest_of_a_batch_are_what_a_loop_finds(
    features: torch.Tensor, metric: str, margin: float | None
) -> None:
    distances = pair_distances(features.detach(), metric)
    total = 0.0
    for a in range(12):
        farthest = max(float(distances[a, p]) for p in range(12) if LABELS[p] == LABELS[a])
        nearest = min(float(distances[a, n]) for n in range(12) if LABELS[n] != LABELS[a])
        excess = farthest - nearest
        total += math.log1p(math.exp(excess)) if margin is None else max(0.0, excess + margin)
    assert float(batch_hard(distances, LABELS, margin=margin)) == pytest.approx(total / 12, abs=1e-5)


def test_labels_that_are_farther_apart_than_the_margin_cost_nothing() -> None:
    far = torch.eye(4).repeat_interleave(3, dim=0) * 9
    assert batch_hard(euclidean_distances(far), LABELS, margin=0.3) == 0


def test_a_batch_of_one_label_costs_nothing_and_can_be_learnt_from(features: torch.Tensor) -> None:
    for loss in (
        batch_hard(euclidean_distances(features), torch.zeros(12), margin=0.3),
        weighted_regularisation_triplet(euclidean_distances(features), torch.zeros(12)),
    ):
        assert loss == 0
        loss.backward()
        assert not features.grad.any()


@pytest.mark.parametrize("include_self", [False, True])
def test_the_weighted_triplet_is_what_a_loop_finds(features: torch.Tensor, include_self: bool) -> None:
    distances = euclidean_distances(features.detach())
    total = 0.0
    for i in range(12):
        positives = [float(distances[i, j]) for j in range(12) if LABELS[j] == LABELS[i] and (j != i or include_self)]
        negatives = [float(distances[i, j]) for j in range(12) if LABELS[j] != LABELS[i]]
        up = [math.exp(d) for d in positives]
        down = [math.exp(-d) for d in negatives]
        near = sum(w * d for w, d in zip(up, positives, strict=True)) / sum(up)
        far = sum(w * d for w, d in zip(down, negatives, strict=True)) / sum(down)
        total += math.log1p(math.exp(near - far))
    found = weighted_regularisation_triplet(distances, LABELS, include_self=include_self)
    assert float(found) == pytest.approx(total / 12, abs=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_pose_and_motion_triplets_are_what_a_loop_finds(features: torch.Tensor, sign: int) -> None:
    poses = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
    distances = cosine_distances(features.detach())
    total = 0.0
    for a in range(12):
        others = [j for j in range(12) if j != a and LABELS[j] == LABELS[a]]
        alike = min(others, key=lambda j: float((poses[j] - poses[a]).norm()))
        unlike = max(others, key=lambda j: float((poses[j] - poses[a]).norm()))
        total += max(0.0, sign * float(distances[a, unlike] - distances[a, alike]))
    found = pose_motion_invariance(features.detach(), poses, LABELS, sign=sign)
    assert float(found) == pytest.approx(total / 12, abs=1e-5)


@pytest.mark.parametrize("num_each", [1, 2])
def test_with_one_or_two_samples_a_person_no_pose_is_farther(num_each: int) -> None:
    features = torch.randn(6, 4, requires_grad=True)
    loss = pose_motion_invariance(features, torch.randn(6, 4), torch.arange(6) // num_each)
    assert loss == 0
    loss.backward()


def test_features_that_are_all_the_same_have_no_pose_to_be_invariant_to() -> None:
    assert pose_motion_invariance(torch.ones(12, 4), torch.randn(12, 4), LABELS) == pytest.approx(0, abs=1e-6)


def test_poses_learn_nothing_from_being_mined(features: torch.Tensor) -> None:
    poses = torch.randn(12, 5, requires_grad=True)
    pose_motion_invariance(features, poses, LABELS).backward()
    assert poses.grad is None
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_samples_that_are_the_same_give_finite_slopes(metric: str) -> None:
    features = torch.randn(6, 4)[[0, 0, 1, 1, 2, 2]].requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    distances = pair_distances(features, metric)
    loss = batch_hard(distances, labels, margin=0.3) + weighted_regularisation_triplet(distances, labels)
    (loss + pose_motion_invariance(features, torch.randn(6, 3), labels)).backward()
    assert features.grad.isfinite().all()


def test_smoothed_labels_go_by_the_number_of_classes() -> None:
    logits, labels, epsilon = torch.randn(5, 7), torch.tensor([0, 3, 6, 2, 2]), 0.1
    wanted = torch.full((5, 7), epsilon / 7)
    wanted[range(5), labels] = 1 - 6 / 7 * epsilon
    expected = -(wanted * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(functional.cross_entropy(logits, labels, label_smoothing=epsilon), expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, lambda d: (d**2).mean()),
        ({"reduction": "sum", "half": True}, lambda d: 0.5 * (d**2).sum()),
        ({"squared": False}, lambda d: d.mean()),
    ],
    ids=["default", "stca", "asanet"],
)
def test_centres_cost_what_the_papers_print(features: torch.Tensor, settings: dict, expected: object) -> None:
    center = CenterLoss(4, 6, **settings)
    distances = torch.stack([(features[i] - center.centers[LABELS[i]]).norm() for i in range(12)])
    torch.testing.assert_close(center(features, LABELS), expected(distances))


def test_a_feature_in_its_centre_costs_nothing() -> None:
    center = CenterLoss(4, 6)
    assert center(center.centers.detach()[LABELS], LABELS) < 1e-11


def test_how_fast_centres_move_does_not_depend_on_the_weight_of_the_loss(features: torch.Tensor) -> None:
    losses, of_centers, of_features = [], [], []
    for weight in (1.0, 0.0005):
        torch.manual_seed(0)
        center, moved = CenterLoss(4, 6, weight=weight), features.detach().clone().requires_grad_()
        losses.append(center(moved, LABELS) / weight)
        center(moved, LABELS).backward()
        of_centers.append(center.centers.grad)
        of_features.append(moved.grad / weight)
    for pair in (losses, of_centers, of_features):
        torch.testing.assert_close(*pair)


@pytest.mark.parametrize("reduction", ["mean_concat", "sum_of_group_means", "sum"])
def test_attributes_cost_their_cross_entropy_where_they_are_known(reduction: str) -> None:
    logits = [torch.randn(4, 6), torch.randn(4, 2)]
    targets = [torch.randint(2, (4, 6)).float(), torch.randint(2, (4, 2)).float()]
    known = torch.tensor([True, False, True, True])
    entropy = functional.binary_cross_entropy_with_logits
    both = entropy(torch.cat(logits, 1)[known], torch.cat(targets, 1)[known], reduction="none")
    expected = {
        "mean_concat": both.mean(),
        "sum_of_group_means": both[:, :6].mean() + both[:, 6:].mean(),
        "sum": both.sum() / 3,
    }
    torch.testing.assert_close(attribute_loss(logits, targets, known, reduction=reduction), expected[reduction])


def test_a_batch_without_attributes_costs_nothing() -> None:
    logits = torch.randn(3, 5, requires_grad=True)
    loss = attribute_loss([logits], [torch.ones(3, 5)], torch.zeros(3, dtype=torch.bool))
    assert loss == 0
    loss.backward()
