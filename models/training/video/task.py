"""Training of a network of clips."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.reid.checkpoint import read_tensors
from models.reid.networks.asanet import AsaNet
from models.reid.networks.attribute_groups import IRRELEVANT
from models.reid.networks.backbones import ResNet50, ResNet50In3d, load_pretrained
from models.reid.networks.clip_network import Clips, VideoOutput
from models.summary import read_embedder
from models.training.engine import Batch, make_adamw
from models.training.video.attributes import Targets, read_attributes
from models.training.video.augment import augment
from models.training.video.batches import draw_epoch
from models.training.video.datasets.benchmark import Benchmark
from models.training.video.datasets.choice import load_benchmarks
from models.training.video.frames import frame_scheme
from models.training.video.objective import Objective, check_attributes
from models.training.video.posed import grid_of
from models.training.video.recipe import load_recipe
from models.training.video.scoring import NetworkInput, distances_between, embed_tracklets
from models.training.video.sources import ClipSource, FileTracklets, PosedClips, WorldTracklets
from models.training.worlds import World
from pipeline.config.composition import load_config
from pipeline.config.plugins import build
from pipeline.core import PoseEstimator, PoseNeed
from pipeline.core.errors import ConfigError, DataError
from pipeline.evaluation.retrieval import LabelledVectors, score_distances

logger = logging.getLogger(__name__)

_CENTER_RATE = 0.5
_MIN_COLUMNS = 4
"""Of the maps that parts are picked from, of twice as many rows; of fewer cells most lie at the border."""
_TARGETS = "attributes/"
"""Begins the name of a group's targets in a batch."""


class NamedClips(nn.Module):
    """A network with classifiers of all training identities, and its losses.

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
        worlds: Training worlds.
        held_out: Worlds to score with.
        seed: Seed of the sampling.
        device: Device of the loss.
        max_bytes: Of decoded crops.
        model: A choice of ``configs/embedder`` that is a network of clips.
        changes: Settings of it by key, as ``models.summary`` takes them: ``{network.width_mult: 0.25}``.
        recipe: A choice of ``configs/recipe``; None for that of the model's paper.
        recipe_changes: Values of it by key.
        min_visible: Least part of a person that a crop of a world must show.
        dataset: In the place of worlds, a data set on disk: ``{name: mars, root: /a/mars}``, and of MARS and LS-VID
            perhaps the ``protocol`` that is scored by, of iLIDS-VID and PRID-2011 the ``split``, of MARS and
            DukeMTMC-VideoReID the table of ``attributes``. ``skip_damaged: true`` does without damaged pictures;
            ``pose`` here is the same as below.
        pose: A choice of ``configs/pose`` that finds the keypoints; None: worlds say the true ones, data sets none.
        pretrained: Published weights of trunks by name: ``{trunk: /a/resnet50.pth}``; of STCA ``trunk_2d`` and
            ``trunk_3d``. Pickles are read as tensors alone, so that no code of theirs runs.

    Raises:
        ConfigError: If there is no such model, recipe, setting, trunk or data set.
        DataError: If a world or a data set is damaged.
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
        dataset: Mapping[str, Any] | None = None,
        pretrained: Mapping[str, str] | None = None,
        pose: str | None = None,
    ) -> None:
        embedder = read_embedder(model, {key: str(value) for key, value in (changes or {}).items()})
        self.recipe = load_recipe(recipe or model.split("_")[0], **(recipe_changes or {}))
        self.learning_rate, self.max_norm = self.recipe.learning_rate, self.recipe.max_norm
        self._seed, self._device = seed, device
        self._pretrained = {trunk: Path(path) for trunk, path in (pretrained or {}).items()}
        self.settings = NetworkInput.of(embedder)
        self._frames = frame_scheme(self.recipe.frames)
        self._targets: Targets = {}
        self.source: ClipSource
        self.queries: ClipSource
        self.gallery: ClipSource
        if dataset is None:
            cut = partial(WorldTracklets, crop_hw=self.settings.crop_hw, min_visible=min_visible)
            self.source = learnt = cut(worlds, max_bytes=max_bytes)
            self._targets = learnt.attributes() if self.recipe.attributes and worlds else {}
            self.queries = self.gallery = cut(held_out, max_bytes=0)
        else:
            settings = dict(dataset)
            pose = settings.pop("pose", pose)
            skip_damaged = bool(settings.pop("skip_damaged", False))
            read = partial(FileTracklets, crop_hw=self.settings.crop_hw, skip_damaged=skip_damaged)
            benchmark, self._targets = _read_dataset(**settings)
            self.source, self.queries, self.gallery = map(read, (benchmark.train, benchmark.query, benchmark.gallery))
        if pose:
            make_estimator = read_estimator(pose)
            self.source, self.queries, self.gallery = (
                PosedClips(source, make_estimator) for source in (self.source, self.queries, self.gallery)
            )
        self.batches_per_epoch = len(self._draw_epoch(0))

    def make_network(self) -> NamedClips:
        """Return an untrained network.

        Raises:
            ConfigError: If it has no trunk of a name that weights are given for, or attributes that it or its recipe
                asks for are not known.
            WeightsError: If they are absent, damaged or of another trunk.
        """
        num_ids = int(self.source.people.max()) + 1
        network = self.settings.make(num_ids)
        named = getattr(network, "attribute_classes", {})
        has_pose = isinstance(network, AsaNet) and IRRELEVANT in named
        known = {name: group.shape[1] for name, group in self._targets.items()}
        check_attributes(self.recipe, named=named, known=known, has_pose=has_pose)
        for name, path in self._pretrained.items():
            trunk = getattr(network, name, None)
            if not isinstance(trunk, (ResNet50, ResNet50In3d)):
                raise ConfigError(f"pretrained: expected trunks of {type(network).__name__}, got {name!r}")
            load_pretrained(trunk, read_tensors(path))
        feature_dim = network.necks[0].norm.num_features if hasattr(network, "necks") else network.vector_dim
        rows, columns = grid_of(self.settings.crop_hw)
        if network.needs is not PoseNeed.NOTHING and min(rows // 2, columns) < _MIN_COLUMNS:
            logger.warning(
                "crop_size_hw: maps of %dx%d cells; %s tells parts of a body apart by cells, and wants 8x4 or more",
                *(rows, columns, type(network).__name__),
            )
        return NamedClips(network, Objective(self.recipe, num_ids=num_ids, feature_dim=feature_dim))

    def optimisers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        """Return what moves the weights, and what moves the centres of the loss if there are any."""
        assert isinstance(network, NamedClips)
        rate, decay = self.learning_rate, self.recipe.weight_decay
        if self.recipe.optimiser == "adamw":
            first = make_adamw(network.network, rate=rate, decay=decay)
        else:
            first = torch.optim.Adam(network.network.parameters(), lr=rate, weight_decay=decay)
        centers = list(network.objective.parameters())
        return [first, torch.optim.SGD(centers, lr=_CENTER_RATE)] if centers else [first]

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, as the recipe says."""
        return self.recipe.rate(step / self.batches_per_epoch)

    def draw(self, step: int) -> Batch:
        """Return a step's clips ``(B, T, h, w, 3)``, keypoints ``(B, T, 17, 3)`` and who is on them."""
        epoch, number = divmod(step, self.batches_per_epoch)
        rows = self._draw_epoch(epoch)[number]
        rng = np.random.default_rng([self._seed, 1, step])
        clips = [self._draw_clip(row, rng) for row in rows]
        batch: dict[str, NDArray[Any]] = {
            "pixels": np.stack([images for images, _ in clips]),
            "keypoints": np.stack([keypoints for _, keypoints in clips]),
            "identities": self.source.people[rows],
        }
        return batch | {f"{_TARGETS}{name}": group[rows] for name, group in self._targets.items()}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss and its parts."""
        assert isinstance(network, NamedClips)
        output = network(self.settings.clips(batch["pixels"], batch["keypoints"]))
        targets = {name.removeprefix(_TARGETS): batch[name] for name in batch if name.startswith(_TARGETS)}
        parts: dict[str, Tensor] = network.objective(output, batch["identities"], targets)
        return parts

    def score(self, network: nn.Module) -> dict[str, float]:
        """Return mAP and rank 1 of what is held out, each looked for in the other cameras."""
        return self.score_on(network, self.queries, self.gallery)

    def score_on(self, network: nn.Module, queries: ClipSource, gallery: ClipSource) -> dict[str, float]:
        """Return mAP and rank 1 of tracklets, each looked for in the other cameras; nothing if there are none."""
        assert isinstance(network, NamedClips)
        if not len(queries.people):
            return {}
        embed = partial(embed_tracklets, network.network, settings=self.settings, device=self._device)
        vectors = embed(queries)
        others = vectors if gallery is queries else embed(gallery)
        labelled = [
            LabelledVectors(found.cpu().numpy(), source.people, source.cameras)
            for found, source in ((vectors, queries), (others, gallery))
        ]
        try:
            score = score_distances(distances_between(vectors, others), *labelled)
        except DataError:
            # Worlds in which no person is seen twice have no score.
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
        settings = {name: getattr(self.recipe, name) for name in ("flip", "crop", "erasing", "colour")}
        return augment(images, keypoints, rng, **settings)


def read_estimator(pose: str, overrides: Sequence[str] = ()) -> Callable[[], PoseEstimator]:
    """Return the factory of a choice of ``configs/pose``.

    Raises:
        ConfigError: If there is none.
        WeightsError: If its weights are absent or altered.
    """
    return build(load_config(["site=empty", f"pose={pose}", *overrides]).pose, "pose")


def _read_dataset(
    *, name: str, root: str, protocol: str | None = None, split: int = 0, attributes: str | None = None
) -> tuple[Benchmark, Targets]:
    """Return a data set, and the attributes of what is learnt from; none without a table of them."""
    benchmarks = load_benchmarks(name, Path(root), protocol)
    if not 0 <= split < len(benchmarks):
        raise ConfigError(f"dataset.split: expected 0 to {len(benchmarks) - 1}, got {split}")
    benchmark = benchmarks[split]
    if attributes is None:
        return benchmark, {}
    return benchmark, read_attributes(Path(attributes), name).targets(benchmark.train)
