"""The ground truth of a configured site, and how a run scores against it."""

from collections.abc import Mapping
from math import inf
from pathlib import Path

from pipeline.config.schema import PipelineConfig
from pipeline.core.camera_uri import parse_camera
from pipeline.evaluation import site_truth
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import TrackingScore
from pipeline.telemetry.camera_status import CameraStatus


def true_tables(config: PipelineConfig) -> dict[str, TrackTable] | None:
    """Return who truly was where in each camera; None where the site has no ground truth.

    Where a person who comes back keeps the number (``matcher.leave_after_s`` infinite), the truth does so too.

    Raises:
        ConfigError: If the truth has an unknown format or its file is missing.
    """
    truth = config.site.truth
    if truth is None:
        return None
    return site_truth.read_site_truth(
        truth.format,
        truth.file,
        camera_ids=config.site.cameras,
        crops=truth.crops,
        returns=truth.returns,
        keep_ids_of_returns=config.matcher.leave_after_s == inf,
    )


def score_run(
    config: PipelineConfig, output_dir: Path, cameras: Mapping[str, CameraStatus] | None = None
) -> TrackingScore | None:
    """Return the score of a run; None where the site has no ground truth or the run wrote no MOT text.

    Args:
        config: Of the run.
        output_dir: Its output folder.
        cameras: The cameras at its end: of recordings of which only the first ``seconds`` were asked for, the truth
            counts as far as they were read.
    """
    truth = true_tables(config)
    if truth is None or "mot" not in config.sink:
        return None
    ends = {camera_id: _end(config, camera_id, status) for camera_id, status in (cameras or {}).items()}
    seen = {camera_id: table.select(table.frames < ends.get(camera_id, inf)) for camera_id, table in truth.items()}
    return site_truth.score_run(seen, output_dir)


def _end(config: PipelineConfig, camera_id: str, status: CameraStatus) -> float:
    """Return the number of the first frame that was not asked for; infinite if all were."""
    camera = parse_camera(config.site.cameras[camera_id])
    options = {**config.source.get(camera.kind, {}), **camera.options}
    return inf if options.get("seconds") is None else status.next_index
