"""Losses of the re-ID network besides cross-entropy over identities."""

from torch import Tensor
from torch.nn import functional


def batch_hard(vectors: Tensor, identities: Tensor) -> Tensor:
    """Return how much nearer the farthest crop of the same person should be than the nearest of another, softly.

    Args:
        vectors: Shape ``(N, D)``, float32.
        identities: Shape ``(N,)``.

    Reference:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
        equation 5, with the soft margin.
    """
    squared = (vectors[:, None] - vectors[None]).square().sum(-1)
    # The root of 0 has no slope.
    distances = squared.clamp(min=1e-8).sqrt()
    same = identities[:, None] == identities[None]
    farthest = distances.masked_fill(~same, 0).amax(1)
    nearest = distances.masked_fill(same, float("inf")).amin(1).clamp(max=1e4)
    return functional.softplus(farthest - nearest).mean()
