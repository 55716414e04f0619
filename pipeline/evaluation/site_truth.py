"""Ground truth of a site from plain values of its configuration, and the score of a run against it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.core.errors import ConfigError
from pipeline.evaluation.track_table import CameraTables, TrackTable
from pipeline.evaluation.tracking import TrackingScore, score_tracks
from pipeline.evaluation.truth import cut_out, read_mot, read_mot_truth, read_pets

READERS = {"pets_xml": read_pets, "mot": read_mot_truth}
"""Reader of each ``site.truth.format``."""


def read_site_truth(
    format_: str,
    file: str,
    *,
    camera_ids: Iterable[str],
    crops: Mapping[str, Sequence[float] | None],
    returns: Mapping[str, int],
    keep_ids_of_returns: bool,
) -> dict[str, TrackTable]:
    """Read the ground truth of a site: one table per camera.

    With ``{camera_id}`` in ``file``, each camera has a file of its own; ``crops`` and ``returns`` are not used.
    Otherwise one file describes a whole image, of which each camera of ``crops`` shows a part.

    Args:
        format_: A key of ``READERS``.
        file: Path of the file or, with ``{camera_id}``, of the files.
        camera_ids: The cameras of the site.
        crops: By camera: left, top, right, bottom of its part of the image in pixels; None: the whole image.
        returns: True identities of visits by people who were there before (as text), and their first identity.
        keep_ids_of_returns: Whether people who return keep their identity in the run, so that ``returns`` applies.

    Raises:
        ConfigError: If the format is unknown or a file is missing.
        DataError: If a file is not of the format.
    """
    if format_ not in READERS:
        raise ConfigError(f"site.truth.format: expected one of {sorted(READERS)}, got {format_}")
    if "{camera_id}" in file:
        return {
            camera_id: _read_file(format_, Path(file.replace("{camera_id}", camera_id))) for camera_id in camera_ids
        }
    whole = _read_file(format_, Path(file))
    if keep_ids_of_returns:
        ids = [returns.get(str(identity), identity) for identity in whole.ids.tolist()]
        whole = replace(whole, ids=np.array(ids, np.int64))
    return {camera_id: whole if crop is None else _cut_out(whole, crop) for camera_id, crop in crops.items()}


def read_run_tables(camera_ids: Iterable[str], output_dir: Path) -> dict[str, TrackTable]:
    """Read the final identities of a run from its MOT files, ``output_dir/mot/<camera_id>.txt``.

    Raises:
        ConfigError: If a file is missing.
        DataError: If a file is not of the format.
    """
    return {camera_id: read_mot(output_dir / "mot" / f"{camera_id}.txt") for camera_id in camera_ids}


def score_run(truth: CameraTables, output_dir: Path) -> TrackingScore:
    """Return the score of the run in ``output_dir``, which must have MOT files, against the ground truth."""
    return score_tracks(truth, read_run_tables(truth, output_dir))


def _read_file(format_: str, path: Path) -> TrackTable:
    if not path.is_file():
        raise ConfigError(f"site.truth.file: expected a file, got {path}; leave site.truth out or correct it")
    return READERS[format_](path)


def _cut_out(whole: TrackTable, crop: Sequence[float]) -> TrackTable:
    left, top, right, bottom = crop
    return cut_out(whole, (left, top, right, bottom))
