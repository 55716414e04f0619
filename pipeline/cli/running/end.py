"""The last word on a run: its summary, its score, and what went wrong."""

import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.cli.scoring.truth import score_run
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConnectorError
from pipeline.ledger.cameras.book import CameraBook
from pipeline.runtime.plan import Plan
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.disk_status import DiskStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.summary import make_summary, print_summary, write_summary

DONE, FAILED = 0, 1


def sum_up(
    config: PipelineConfig,
    plan: Plan,
    cameras: Mapping[str, CameraStatus],
    report: MatchReport,
    wall_s: float,
    disk: DiskStatus,
) -> int:
    """Write and print the summary of a run, say what went wrong, and return the exit code."""
    is_whole = not any(status.stopped_early or status.error for status in cameras.values())
    is_whole &= not CameraBook(plan.output_dir).commands("done")  # the truth is of all cameras, and of their whole time
    score = score_run(config, plan.output_dir, cameras) if is_whole else None
    summary = make_summary(cameras, report, wall_s, None if score is None else score.summary(), disk)
    try:
        write_summary(summary, plan.output_dir)
    except OSError as error:
        raise ConnectorError(f"summary.json: cannot be written: {error}; make room on the disk") from error
    print_summary(summary, plan.output_dir)
    _print_stopped(config, plan.output_dir, cameras)
    for offset in report.clock_offsets:
        if offset.is_wrong:
            print(f"note: {offset.advice(plan.intakes[offset.camera_id].offset_s)}")
    lost = {camera_id: status for camera_id, status in cameras.items() if status.error is not None}
    for camera_id, status in lost.items():
        word = "error" if status.removed_at is None else "warning"
        print(f"{word}: camera {camera_id}: {status.error}", file=sys.stderr)
    for name in report.behind:
        print(
            f"error: sink.{name}: expected it to accept everything within flow.drain_s = {plan.drain_s:g} s, "
            "it did not; ledger.sqlite holds what it lacks, and resume=true sends it",
            file=sys.stderr,
        )
    for reason in report.unclosed.values():
        print(f"error: {reason}", file=sys.stderr)
    for name, num in report.dropped.items():
        why = report.why_dropped.get(name, "its receiver was too slow or down")
        print(
            f"warning: sink.{name}: {num} records were dropped: {why}; alerts.jsonl and ledger.sqlite have them",
            file=sys.stderr,
        )
    is_lost = any(status.removed_at is None for status in lost.values())
    return FAILED if is_lost or report.behind or report.unclosed else DONE


def _print_stopped(config: PipelineConfig, output_dir: Path, cameras: Mapping[str, CameraStatus]) -> None:
    """Say of recordings that were not read to their end that they were not, and how to go on."""
    stopped = {camera_id: status for camera_id, status in cameras.items() if status.stopped_early}
    if stopped:
        where = ", ".join(
            f"{camera_id} after {status.frames_processed} frames" for camera_id, status in stopped.items()
        )
        unscored = ", not scored" if config.site.truth is not None else ""
        print(f"stopped early{unscored}: {where}; continue with resume=true output_dir={output_dir}")
