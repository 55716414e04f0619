"""Training of the re-ID network of single crops."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.checkpoint import load_mean
from models.training.engine import MAX_NORM, Batch, make_adamw
from models.training.pictures import spread
from models.training.reid.network import WIDTHS, OmniSmall
from models.training.reid.pretrained import MobileReid
from models.training.reid.samples import ReidSamples
from models.training.worlds import World
from pipeline.core.errors import ConfigError, DataError
from pipeline.evaluation.retrieval import LabelledVectors, score_retrieval

TRIPLETS = ("euclidean", "cosine")
_SMOOTHING = 0.1
_MAX_SCORED = 3000
_BATCH = 64


class NamedPeople(nn.Module):
    """The network with a classifier of all training identities; only the network is exported.

    Args:
        network: Returns vectors before and behind its neck.
        num_identities: How many there are.
    """

    def __init__(self, network: OmniSmall | MobileReid, num_identities: int) -> None:
        super().__init__()
        self.network = network
        self.classifier = nn.Linear(network.dim, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors before the neck, ``(N, dim)``, and the logits of the identities, ``(N, people)``."""
        vectors, necked = self.network(pixels)
        return vectors, self.classifier(necked)


class ReidTask:
    """Tells people apart.

    Args:
        worlds: Training worlds.
        held_out: Worlds to score with.
        seed: Seed of the sampling.
        device: Device of the loss.
        max_bytes: Of decoded crops.
        crop_hw: Height and width of the network's input, pixels.
        outfits: same or apart, as ``ReidSamples`` knows them.
        min_visible: Least part of a person that a crop must show.
        colour: How strongly colours are distorted.
        background: Share of crops that get another background, as ``ReidSamples`` knows it.
        triplet: euclidean or cosine: what the triplet loss measures.
        widths: Channels of the network at strides 4, 8 and 16.
        num_people: People a step.
        crops_each: Crops of each of them.
        learning_rate: The highest of the schedule.
        weight_decay: Of AdamW.
        begin_with: Checkpoint of another run, whose convolutions the network begins with; None for random ones.
        pretrained: Weights of MobileNetV2, learned on ImageNet, that a ``MobileReid`` begins with; None for an
            ``OmniSmall``.
        frozen: First so many of its nineteen blocks stay as they are.
        pretrained_rate: The learning rate of these convolutions, as a part of that of the rest.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        held_out: Sequence[World],
        *,
        seed: int,
        device: torch.device,
        max_bytes: int,
        crop_hw: tuple[int, int] = (128, 64),
        outfits: str = "same",
        min_visible: float = 0.4,
        colour: float = 1.0,
        background: float = 0.0,
        triplet: str = "euclidean",
        widths: tuple[int, int, int] = WIDTHS,
        num_people: int = 16,
        crops_each: int = 4,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        begin_with: str | None = None,
        pretrained: str | None = None,
        frozen: int = 7,
        pretrained_rate: float = 0.3,
    ) -> None:
        if triplet not in TRIPLETS:
            raise ConfigError(f"triplet: expected {' or '.join(TRIPLETS)}, got {triplet!r}")
        self._triplet = triplet
        self.learning_rate = learning_rate
        self.max_norm: float | None = MAX_NORM
        self._weight_decay = weight_decay
        self._seed = seed
        self._device = device
        self._num_people = num_people
        self._crops_each = crops_each
        self._widths = (widths[0], widths[1], widths[2])
        self._begin_with = None if begin_with is None else Path(begin_with)
        self._pretrained = None if pretrained is None else Path(pretrained)
        self._frozen = frozen
        self._pretrained_rate = pretrained_rate
        size = (crop_hw[0], crop_hw[1])
        self._samples = ReidSamples(
            worlds,
            crop_hw=size,
            outfits=outfits,
            min_visible=min_visible,
            colour=colour,
            background=background,
            max_bytes=max_bytes,
        )
        self._held_out = ReidSamples(held_out, crop_hw=size, outfits=outfits, min_visible=min_visible, max_bytes=0)

    def make_network(self) -> NamedPeople:
        """Return an untrained network.

        Raises:
            WeightsError: If what it is to begin with is absent, damaged or of other convolutions.
        """
        network = OmniSmall(widths=self._widths) if self._pretrained is None else MobileReid(frozen=self._frozen)
        if self._pretrained is not None and isinstance(network, MobileReid):
            network.load_imagenet(self._pretrained)
        if self._begin_with is not None:
            for part in network.convolutions:
                load_mean(self._begin_with, getattr(network, part), below=f"network.{part}.")
        return NamedPeople(network, self._samples.num_identities)

    def optimisers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        """Return what moves the weights."""
        slow = {} if self._pretrained is None else {"network.features.": self._pretrained_rate}
        return [make_adamw(network, rate=self.learning_rate, decay=self._weight_decay, slow=slow)]

    def draw(self, step: int) -> Batch:
        """Return the crops ``(P * K, 3, h, w)`` of a step and who is on them."""
        rng = np.random.default_rng([self._seed, step])
        crops, identities = self._samples.draw(rng, num_people=self._num_people, crops_each=self._crops_each)
        return {"pixels": np.ascontiguousarray(crops.transpose(0, 3, 1, 2)), "identities": identities}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss and its parts."""
        vectors, logits = network(batch["pixels"].float().contiguous(memory_format=torch.channels_last))
        parts = {
            "name": functional.cross_entropy(logits.float(), batch["identities"], label_smoothing=_SMOOTHING),
            "triplet": batch_hard(vectors.float(), batch["identities"], metric=self._triplet),
        }
        return parts | {"loss": parts["name"] + parts["triplet"]}

    def score(self, network: nn.Module) -> dict[str, float]:
        """Return mAP and rank 1 of crops held out, each looked for in the other cameras."""
        rows = spread(self._held_out.rows, _MAX_SCORED)
        if not len(rows):
            return {}
        vectors = LabelledVectors(
            self._embed(network, rows), self._held_out.identities[rows], self._held_out.cameras[rows]
        )
        try:
            score = score_retrieval(vectors, vectors)
        except DataError:
            # Worlds in which no person is seen twice have no score.
            return {}
        return {"mean_ap": score.mean_ap, "rank1": float(score.cmc[0])}

    @torch.no_grad()
    def _embed(self, network: nn.Module, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        assert isinstance(network, NamedPeople)
        parts = []
        for start in range(0, len(rows), _BATCH):
            crops = np.stack([self._held_out.plain(row) for row in rows[start : start + _BATCH]])
            pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float().to(self._device)
            parts.append(functional.normalize(network.network(pixels)[1], dim=1).cpu().numpy())
        return np.concatenate(parts)


def batch_hard(vectors: Tensor, identities: Tensor, *, metric: str = "euclidean") -> Tensor:
    """Return how much nearer the farthest crop of the same person should be than the nearest of another, softly.

    Args:
        vectors: Shape ``(N, D)``, float32.
        identities: Shape ``(N,)``.
        metric: euclidean; or cosine, by which the pipeline compares: the length of a vector then counts for nothing.

    Reference:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
        equation 5, with the soft margin.
    """
    if metric == "cosine":
        directions = functional.normalize(vectors, dim=1)
        distances = 1 - directions @ directions.T
    else:
        squared = (vectors[:, None] - vectors[None]).square().sum(-1)
        # The root of 0 has no slope.
        distances = squared.clamp(min=1e-8).sqrt()
    same = identities[:, None] == identities[None]
    farthest = distances.masked_fill(~same, 0).amax(1)
    nearest = distances.masked_fill(same, float("inf")).amin(1).clamp(max=1e4)
    return functional.softplus(farthest - nearest).mean()
