"""A training recipe, ``configs/recipe``: batches, augmentation, losses and optimiser."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import yaml

from pipeline.core.errors import ConfigError

_WORDS: dict[str, tuple[object, ...]] = {
    "triplet": ("batch_hard", "weighted"),
    "metric": ("euclidean", "cosine"),
    "center_reduction": ("mean", "sum"),
    "attribute_reduction": ("mean_concat", "sum_of_group_means", "sum"),
    "pose_sign": (1, -1),
    "optimiser": ("adam", "adamw"),
}
FOLDER = Path(__file__).resolve().parents[3] / "configs" / "recipe"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A paper's recipe.

    Attributes:
        batches: pk_once or pk_all, as ``batches`` has them.
        num_people: P of a batch.
        num_each: K tracklets of each.
        frames: consecutive, restricted, balanced, any or strided.
        flip: Mirror every other clip.
        crop: none, pad or scale.
        erasing: Hide a rectangle of every other frame.
        colour: How far light and colours of a clip change; 1 as between cameras, 0 not at all.
        triplet: batch_hard, or weighted: regularised by weights, without margin.
        metric: euclidean or cosine, of the triplet.
        margin: Of batch_hard; None for the soft margin.
        smoothing: Of labels, in [0, 1).
        include_self: Of weighted: a sample is one of its own positives, as in AGW's code.
        center: Weight of the centre loss; 0 for none.
        center_reduction: mean over samples, or sum.
        center_half: Half of it, as STCA and ASA-Net print.
        center_squared: False for the distance itself, as ASA-Net prints by mistake.
        frame_distance: Weight of RAPA's regularisation.
        diversity: Weight of CTL's.
        attributes: Weight of ASA-Net's attributes; 0 leaves their labels unused (Table VII).
        attribute_reduction: mean_concat, sum_of_group_means or sum, as ``attribute_loss`` says.
        pose_invariance: Weight of ASA-Net's pose and motion invariant triplets.
        pose_sign: Of their difference: 1 as printed, or -1.
        optimiser: adam, to whose gradients weights are added as they decay, as the papers do; or adamw, in which they
            shrink by themselves.
        max_norm: To which gradients are cut; None leaves them.
        learning_rate: The highest of the schedule.
        weight_decay: Of all weights.
        epochs: In all.
        milestones: Epochs after which the rate is multiplied with ``gamma``.
        gamma: Below 1.
        warm_up_epochs: In which the rate grows from a hundredth.
    """

    batches: str
    num_people: int
    num_each: int
    frames: str
    flip: bool
    crop: str
    erasing: bool
    colour: float
    triplet: str
    metric: str
    margin: float | None
    smoothing: float
    include_self: bool
    center: float
    center_reduction: str
    center_half: bool
    center_squared: bool
    frame_distance: float
    diversity: float
    attributes: float
    attribute_reduction: str
    pose_invariance: float
    pose_sign: int
    optimiser: str
    max_norm: float | None
    learning_rate: float
    weight_decay: float
    epochs: int
    milestones: tuple[int, ...]
    gamma: float
    warm_up_epochs: int

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return a recipe of plain values.

        Raises:
            ConfigError: If a key is unknown or absent, or a word is none of those that there are.
        """
        names = {field.name for field in fields(cls)}
        if values.keys() != names:
            raise ConfigError(f"recipe: expected {sorted(names)}, got others: {sorted(names ^ values.keys())}")
        for key, words in _WORDS.items():
            if values[key] not in words:
                raise ConfigError(f"recipe.{key}: expected {' or '.join(map(str, words))}, got {values[key]!r}")
        return cls(**values | {"milestones": tuple(values["milestones"])})

    def rate(self, epoch: float) -> float:
        """Return the learning rate at a moment, in epochs from the start.

        Example:
            >>> load_recipe("lstrl").rate(75)
            2.9999999999999997e-05
        """
        warm = 1.0
        if epoch < self.warm_up_epochs:
            warm = 0.01 + 0.99 * epoch / self.warm_up_epochs
        rate: float = self.learning_rate * warm * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
        return rate


def load_recipe(name: str, **changes: Any) -> Recipe:
    """Return a recipe of ``configs/recipe`` with some of its values changed.

    Raises:
        ConfigError: If there is none of this name, or a value makes no sense.
    """
    return Recipe.of(_read(name) | changes)


def _read(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in FOLDER.glob("*.yaml")))
        raise ConfigError(f"recipe: expected one of {known}, got {name!r}")
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for other in values.pop("defaults", ()):
        if other != "_self_":
            values = _read(other) | values
    return values
