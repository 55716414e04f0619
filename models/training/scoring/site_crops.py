"""Crops of people where a site's truth says they are: of footage that nothing was trained on."""

from math import inf

import numpy as np

from models.training.pictures import spread
from models.training.scoring.pets import stand_alone
from models.training.scoring.world_people import TrueCrop
from pipeline.config.cameras import plan_cameras
from pipeline.config.schema import PipelineConfig
from pipeline.core import Frame
from pipeline.core.boxes import clip
from pipeline.core.errors import ConfigError
from pipeline.evaluation.site_truth import read_site_truth
from pipeline.evaluation.track_table import TrackTable

_MIN_HEIGHT_PX = 48.0
"""Least height of a crop. Smaller people tell little of a network."""
_NO_KEYPOINTS = np.zeros((17, 3), np.float32)


def read_site_crops(config: PipelineConfig, *, max_crops: int) -> list[TrueCrop]:
    """Return crops of people who stand alone, as evenly spread over each camera's footage as the truth allows.

    Args:
        config: Of the site. Where people who come back keep their number, they do so here.
        max_crops: In all; each camera has an equal part.

    Raises:
        ConfigError: If the site has no truth, or nothing is left.
        DataError: If the truth is damaged.
    """
    site, truth = config.site, config.site.truth
    if truth is None:
        raise ConfigError("site.truth: expected ground truth to score with, got none; see configs/site/demo.yaml")
    tables = read_site_truth(
        truth.format,
        truth.file,
        camera_ids=site.cameras,
        crops=truth.crops,
        returns=truth.returns,
        keep_ids_of_returns=site.leave_after_s == inf,
    )
    sources = plan_cameras(config).make_sources
    crops: list[TrueCrop] = []
    for number, (camera_id, table) in enumerate(tables.items()):
        chosen = _chosen(table, max_crops // len(tables))
        rows_of = chosen.rows_by_frame()
        source = sources[camera_id]()
        for frame in source.frames():
            crops += [_cut(frame, chosen, row, camera=number) for row in rows_of.pop(frame.stamp.index, ())]
            if not rows_of:
                break
        source.close()
    if not crops:
        raise ConfigError(
            f"site: expected people over {_MIN_HEIGHT_PX:g} px who stand alone, got none; name another place"
        )
    return crops


def _chosen(table: TrackTable, most: int) -> TrackTable:
    """Return the boxes of a camera that are worth a crop."""
    tall = table.boxes_xyxy[:, 3] - table.boxes_xyxy[:, 1] >= _MIN_HEIGHT_PX
    kept = [rows[stand_alone(table.boxes_xyxy[rows])] for rows in table.rows_by_frame().values()]
    alone = np.concatenate([np.empty(0, np.intp), *kept])
    return table.select(spread(alone[(tall & table.counts)[alone]], most))


def _cut(frame: Frame, table: TrackTable, row: np.intp, *, camera: int) -> TrueCrop:
    box = clip(np.round(table.boxes_xyxy[[row]]), frame.size_hw)[0]
    left, top, right, bottom = box.astype(int)
    image = frame.image[top:bottom, left:right]
    return TrueCrop(image, box, frame.size_hw, int(table.ids[row]), 0, camera, _NO_KEYPOINTS)
