"""The summary of a run: ``summary.json``, and the table on the terminal at its end."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.disk_status import DiskStatus
from pipeline.telemetry.match_report import MatchReport

SCHEMA = 1
"""Version of ``summary.json``; raised when a key changes its meaning."""

PACKAGES = ("numpy", "opencv-python", "av", "onnxruntime", "openvino", "trackers", "supervision", "ray", "faiss-cpu")
"""Packages whose versions can change a result."""


def make_summary(
    cameras: Mapping[str, CameraStatus],
    report: MatchReport,
    wall_s: float,
    quality: Mapping[str, Any] | None,
    disk: DiskStatus = DiskStatus(),  # noqa: B008 - it is frozen
) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Args:
        cameras: The last status of every camera.
        report: Of the match actor.
        wall_s: Seconds from the first frame to the end.
        quality: Scores against ground truth; None without.
        disk: What the run takes of its disk, and what was deleted for that.
    """
    processed = sum(status.frames_processed for status in cameras.values())
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "cameras": {
            camera_id: {
                name: value
                for name, value in asdict(status).items()
                if name not in ("people_now", "view_now", "lag_s", "waits_s", "track_s", "decode_s")
            }
            for camera_id, status in cameras.items()
        },
        "identities": report.num_identities,
        "sightings": report.num_sightings,
        "corrections": report.num_corrections,
        "alerts": report.num_alerts,
        "late": report.num_late,
        "passed_over": report.num_passed_over,
        "sink_retries": report.num_sink_retries,
        "sink_dropped": dict(report.dropped),
        "sinks_behind": list(report.behind),
        "disk": {name: value for name, value in asdict(disk).items() if name.endswith("deleted")},
        "clock_offsets": [asdict(offset) for offset in report.clock_offsets],
        "pairs": [asdict(pair) for pair in report.pairs],
        "wall_s": round(wall_s, 3),
        "frames_per_s": round(processed / wall_s, 2) if wall_s > 0 else None,
        "latency_s": _percentiles(report.latencies_s),
        "result_sha256": report.digest,
        "versions": _versions(),
    }
    if quality is not None:
        summary["quality"] = dict(quality)
    return summary


def write_summary(summary: Mapping[str, Any], output_dir: Path) -> None:
    """Write ``summary.json``."""
    (output_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def print_summary(summary: Mapping[str, Any], output_dir: Path) -> None:
    """Print the cameras, the counts, the scores, and where the files are."""
    table = Table(box=None, pad_edge=False)
    for heading in ("camera", "frames", "dropped", "bad", "tracklets"):
        table.add_column(heading, justify="left" if heading == "camera" else "right")
    for camera_id, status in summary["cameras"].items():
        table.add_row(
            camera_id,
            *(f"{status[name]:,}" for name in ("frames_processed", "frames_dropped", "bad_frames", "tracklets")),
        )
    Console(markup=False).print(table)  # a name may have brackets
    print(
        f"{summary['identities']} people, {summary['sightings']} sightings, {summary['corrections']} corrections, "
        f"{summary['alerts']} alerts; {summary['frames_per_s']} frames/s"
    )
    if "quality" in summary:
        quality = summary["quality"]
        print(
            f"against the ground truth, all cameras together: IDF1 {quality['idf1']:.3f}, HOTA {quality['hota']:.3f}, "
            f"{quality['num_found_ids']} of {quality['num_true_ids']} people found under {quality['num_ids']} numbers, "
            f"{quality['wrong_merges']} wrong merges, {quality['splits']} splits"
        )
    print(f"files: {output_dir}")


def _percentiles(latencies_s: Any) -> dict[str, float | None]:
    if not len(latencies_s):
        return {"p50": None, "p95": None, "p99": None}
    return {f"p{q}": round(float(np.percentile(latencies_s, q)), 4) for q in (50, 95, 99)}


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
