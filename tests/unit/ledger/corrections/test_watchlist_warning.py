"""Whoever puts somebody on the watch-list of a run that has no rule for it is warned at once."""

from pathlib import Path

import pytest

from pipeline.core import Correction, CorrectionKind
from pipeline.ledger.corrections.apply import unwatched

NAMED = Correction(CorrectionKind.NAMED, (1,), "ann", 0.0, name="lost child")
OFF = Correction(CorrectionKind.NAMED, (1,), "ann", 0.0)
MERGED = Correction(CorrectionKind.MERGED, (1, 2), "ann", 0.0)


@pytest.mark.parametrize(("correction", "is_warned"), [(NAMED, True), (OFF, False), (MERGED, False)])
def test_a_name_in_a_run_without_the_rule_is_warned_of(tmp_path: Path, correction, is_warned: bool) -> None:
    (tmp_path / "config.yaml").write_text(
        "alerts: {zone_dwell: {_target_: pipeline.alerts.rules.zone_dwell.ZoneDwellRule}}"
    )
    assert ("alerts of this run lacks watchlist" in unwatched(correction, tmp_path)) is is_warned


def test_a_name_in_a_run_with_the_rule_is_not_warned_of(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("alerts: {w: {_target_: pipeline.alerts.rules.watchlist.WatchlistRule}}")
    assert unwatched(NAMED, tmp_path) == ""


def test_nothing_is_warned_of_where_no_configuration_is_known(tmp_path: Path) -> None:
    assert unwatched(NAMED, tmp_path) == ""


@pytest.mark.parametrize(
    ("rule", "edits", "is_warned"),
    [
        ("watchlist.WatchlistRule", "alerts: {zone_dwell: {}}", True),
        ("watchlist.WatchlistRule", "site: {max_dwell_s: 4}", False),
        ("zone_dwell.ZoneDwellRule", "alerts: {watchlist: {}}", False),
    ],
)
@pytest.mark.parametrize("file", ["edits.yaml", "night rules.yaml"])
def test_edited_rules_count(tmp_path: Path, rule: str, edits: str, is_warned: bool, file: str) -> None:
    named = "null" if file == "edits.yaml" else tmp_path / file
    (tmp_path / "config.yaml").write_text(
        f"alerts: {{w: {{_target_: pipeline.alerts.rules.{rule}}}}}\nedits: {named}\n"
    )
    (tmp_path / file).write_text(edits)
    assert bool(unwatched(NAMED, tmp_path)) is is_warned
