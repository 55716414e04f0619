"""The probability that two embeddings show one person, by the pipeline's current calibration."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel, probability
from pipeline.core.errors import ConfigError

NAMES = ("same_mean", "same_std", "different_mean", "different_std")
CURVE = np.linspace(0.0, 1.6, 81)
"""Cosine distances at which the calibration curve is drawn; larger distances do not occur in practice."""


class ProbabilityScale:
    """Calibration of a run: as learned so far, or as configured if the run has learned none.

    Args:
        output_dir: Output folder of the run, with its ``config.yaml`` and ``status.json``.
    """

    def __init__(self, output_dir: Path) -> None:
        self._folder = output_dir

    def probabilities(self, distances: list[float]) -> list[float]:
        """Return the probability that two embeddings show one person, in [0, 1], for each cosine distance.

        Raises:
            ConfigError: If the run's configuration is missing or has no calibration.
        """
        calibration = self._calibration()
        return [probability(calibration.llr(distance)) for distance in distances]

    def curve(self) -> dict[str, Any]:
        """Return the current calibration as a curve for the page; raises as ``probabilities``."""
        calibration = self._calibration()
        model = calibration.model
        distances = CURVE.tolist()

        def density(mean: float, std: float) -> list[float]:
            values = np.exp(-0.5 * ((CURVE - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
            return [round(value, 4) for value in values.tolist()]

        return {
            "distances": [round(distance, 3) for distance in distances],
            "probability": [round(probability(calibration.llr(distance)), 4) for distance in distances],
            "same": density(model.same_mean, model.same_std),
            "different": density(model.different_mean, model.different_std),
            "is_learned": self._learned() is not None,
        }

    def _calibration(self) -> Calibration:
        path = self._folder / "config.yaml"
        try:
            start = yaml.safe_load(path.read_text())["matcher"]["calibration"]
            model = DistanceModel(*(self._learned() or [float(start[name]) for name in NAMES]))
            return Calibration(model, caution=float(start["caution"]), max_llr=float(start["max_llr"]))
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{path}: expected the calibration of a run, got {error!r}; probabilities need it"
            ) from error

    def _learned(self) -> list[float] | None:
        try:
            found = json.loads((self._folder / "status.json").read_text())["match"]["calibration_model"]
            return [float(value) for value in found] if len(found) == len(NAMES) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
