"""``passerby evaluate [key=value …]``: Passerby against the ground truth, and baselines on the same detections.

The baselines use the same detector, ByteTrack with the defaults of its library, and the same embedder. They take the
mean vector of each track, and link tracks to the nearest neighbour below one threshold (online), by average linkage
(offline), or by the truth. A "best" threshold is chosen with the truth, which no deployment has. It takes the same
overrides as ``passerby run``; the site needs ground truth: ``passerby evaluate site=demo runtime=inline``.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track as progress_bar
from rich.table import Table

from pipeline.camera.tracking import TrackingStage
from pipeline.cli.run import run
from pipeline.cli.scoring.truth import true_tables
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.plugins import build
from pipeline.core import Embedding, Tracker, TrackPath
from pipeline.core.command_line import run_command
from pipeline.core.errors import ConfigError
from pipeline.evaluation.decisions import Decisions, Share, decisions
from pipeline.evaluation.naive import (
    Track,
    best_threshold,
    cluster_offline,
    link_by_truth,
    mean_vector,
    naive_online,
    to_tables,
)
from pipeline.evaluation.site_truth import read_run_tables
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import TrackingScore, score_tracks
from pipeline.runtime.camera_detectors import CameraDetectors
from pipeline.runtime.plan import Plan

THRESHOLDS = np.arange(0.20, 0.81, 0.02).tolist()
"""Cosine distances among which the best threshold of a baseline is chosen."""

LIBRARY_DEFAULTS = {
    "new_track_score": 0.7,
    "high_score": 0.6,
    "min_iou": 0.1,
    "min_frames": 2,
    "lost_s": 1.0,
    "frame_rate": 30.0,
}
"""Of ByteTrack in the package trackers, under the names of our plug-in."""

NEVER = float("inf")
"""A coverage that no box reaches: two people in contact do not split a baseline's track."""

Row = tuple[TrackingScore, Decisions]


def main() -> None:
    """Score as the command line says."""
    run_command(evaluate)


def evaluate(overrides: list[str]) -> None:
    """Run the baselines and the pipeline, and print their scores.

    Raises:
        ConfigError: If the site has no truth, or cannot be run.
    """
    config = load_config(overrides)
    truth = true_tables(config)
    if truth is None:
        raise ConfigError("site.truth: expected ground truth to score against, got none; see configs/site/pets.yaml")
    empty = dict.fromkeys(truth, TrackTable.empty())
    plan = make_plan(config)
    make_tracker = build({**config.tracker, **LIBRARY_DEFAULTS}, "tracker", allow=config.allow_plugins)
    tracks = naive_tracks(plan, make_tracker)

    def tables(people: list[int]) -> dict[str, TrackTable]:
        return {**empty, **to_tables(tracks, people)}

    def row(found: Mapping[str, TrackTable]) -> Row:
        return score_tracks(truth, found), decisions(truth, found)

    def online(threshold: float) -> list[int]:
        return naive_online(tracks, max_distance=threshold)

    def offline(threshold: float) -> list[int]:
        return cluster_offline(tracks, max_distance=threshold)

    middle = (config.matcher.calibration.same_mean + config.matcher.calibration.different_mean) / 2
    rows: dict[str, Row] = {
        "tracks, not linked": row(tables(list(range(1, len(tracks) + 1)))),
        f"naive online, threshold {middle:.2f} of other footage": row(tables(online(middle))),
    }
    for name, link in (("naive online", online), ("offline clustering", offline)):
        best = best_threshold(link, lambda people: score_tracks(truth, tables(people)).idf1, THRESHOLDS)
        rows[f"{name}, best threshold {best:.2f}"] = row(tables(link(best)))
    rows["tracks, linked by the truth"] = row(tables(link_by_truth(tracks, truth)))
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            exit_code = run([*overrides, f"output_dir={folder}", "sink=[mot]"])
        if exit_code != 0:
            raise ConfigError(f"pipeline: expected exit code 0, got {exit_code}; see the error above")
        rows["Passerby"] = row(read_run_tables(truth, Path(folder)))
    _print(rows)


def naive_tracks(plan: Plan, make_tracker: Callable[[], Tracker]) -> list[Track]:
    """Return the whole tracks of every camera, each with the mean vector of its parts, one crop a second."""
    detectors, embed = CameraDetectors(plan), plan.make_embed()
    tracks = []
    for camera_id, make_source in plan.make_sources.items():
        stage = TrackingStage(
            make_tracker(),
            crop_size_hw=plan.crop_size_hw,
            clip_len=1,
            first_after_s=1.0,
            part_s=1.0,
            contact_coverage=NEVER,
            min_peak_score=0.0,
            static_min_score=0.0,
            max_open_tracks=10_000,
        )
        source = make_source()
        parts_of: dict[int, list[Embedding]] = {}
        for frame in progress_bar(source.frames(), description=f"naive {camera_id}", transient=True):
            found = detectors.find(detectors.prepare(frame))
            _sort_in(parts_of, embed.process(stage.process([(frame, found)])))
        _sort_in(parts_of, embed.process(stage.flush()))
        source.close()
        tracks += [_whole(camera_id, number, parts) for number, parts in parts_of.items()]
    return tracks


def _sort_in(parts_of: dict[int, list[Embedding]], embeddings: Sequence[Embedding | None]) -> None:
    for embedding in embeddings:
        if embedding is not None:
            parts_of.setdefault(embedding.track_id.number, []).append(embedding)


def _whole(camera_id: str, number: int, parts: Sequence[Embedding]) -> Track:
    paths = [part.path for part in parts]
    path = TrackPath(
        np.concatenate([path.indices for path in paths]),
        np.concatenate([path.captured_at for path in paths]),
        np.concatenate([path.boxes_xyxy for path in paths]),
        np.concatenate([path.scores for path in paths]),
        paths[0].frame_hw,
    )
    vector = mean_vector(np.stack([part.vector for part in parts]))
    return Track(camera_id, number, float(path.captured_at[0]), vector, path)


def _print(rows: Mapping[str, Row]) -> None:
    headings = ("", "IDF1", "HOTA", "AssA", "MOTA", "people", "link precision", "link recall")
    table = Table(box=None, pad_edge=False)
    for heading in (*headings, "false matches", "false new"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, (score, decided) in rows.items():
        links = ["–" if value is None else f"{value:.3f}" for value in (score.link_precision, score.link_recall)]
        figures = [f"{value:.3f}" for value in (score.idf1, score.hota, score.assa, score.mota)]
        shares = [_share(decided.false_matches), _share(decided.false_news)]
        table.add_row(name, *figures, f"{score.num_ids} of {score.num_true_ids}", *links, *shares)
    Console(width=200, markup=False).print(table)
    print("false matches: share of the decisions for a known number that were wrong: it belonged to another person")
    print("false new: share of the returns of known people that were given a new number")


def _share(share: Share) -> str:
    return "–" if share.rate is None else f"{share.rate:.3f} ({share.count} of {share.total})"


if __name__ == "__main__":
    main()
