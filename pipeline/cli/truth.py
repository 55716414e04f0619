"""The ground truth of a site, and how a run scores against it."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import TrackingScore, score_tracks
from pipeline.evaluation.truth import cut_out, read_mot, read_mot_truth, read_pets

READ_TRUTH = {"pets_xml": read_pets, "mot": read_mot_truth}
"""Readers of ground truth, by ``site.truth.format``."""


def true_tables(config: PipelineConfig) -> dict[str, TrackTable] | None:
    """Return who truly was where in each camera; None where the site has no ground truth.

    Where a person who comes back keeps the number (``matcher.leave_after_s`` infinite), the truth does so too.

    Raises:
        ConfigError: If the truth has an unknown format or its file is missing.
    """
    truth = config.site.truth
    if truth is None:
        return None
    if truth.format not in READ_TRUTH:
        raise ConfigError(f"site.truth.format: expected one of {sorted(READ_TRUTH)}, got {truth.format}; correct it")
    if "{camera_id}" in truth.file:
        return {
            camera_id: _read(truth.format, Path(truth.file.replace("{camera_id}", camera_id)))
            for camera_id in config.site.cameras
        }
    whole = _read(truth.format, Path(truth.file))
    if config.matcher.leave_after_s == inf:
        ids = [truth.returns.get(str(number), number) for number in whole.ids.tolist()]
        whole = replace(whole, ids=np.array(ids, np.int64))
    return {
        camera_id: whole if crop is None else cut_out(whole, tuple(crop)) for camera_id, crop in truth.crops.items()
    }


def found_tables(camera_ids: Iterable[str], output_dir: Path) -> dict[str, TrackTable]:
    """Return who was where in each camera, as the MOT text of a run says."""
    return {camera_id: read_mot(output_dir / "mot" / f"{camera_id}.txt") for camera_id in camera_ids}


def score_run(config: PipelineConfig, output_dir: Path) -> TrackingScore | None:
    """Return the score of a run; None where the site has no ground truth or the run wrote no MOT text."""
    truth = true_tables(config)
    if truth is None or "mot" not in config.sink:
        return None
    return score_tracks(truth, found_tables(truth, output_dir))


def _read(format_: str, path: Path) -> TrackTable:
    if not path.is_file():
        raise ConfigError(f"site.truth.file: expected a file, got {path}; correct it, or leave site.truth out")
    return READ_TRUTH[format_](path)
