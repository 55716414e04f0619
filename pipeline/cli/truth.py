"""The ground truth of a configured site, and how a run scores against it."""

from math import inf
from pathlib import Path

from pipeline.config.schema import PipelineConfig
from pipeline.evaluation import site_truth
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import TrackingScore


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


def score_run(config: PipelineConfig, output_dir: Path) -> TrackingScore | None:
    """Return the score of a run; None where the site has no ground truth or the run wrote no MOT text."""
    truth = true_tables(config)
    return site_truth.score_run(truth, output_dir) if truth is not None and "mot" in config.sink else None
