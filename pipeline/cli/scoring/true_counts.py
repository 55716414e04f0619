"""What a run should have counted, and how far off it was."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from connectors.sinks.final_boxes import SPOOLED
from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.plane_geometry import Points
from pipeline.alerts.zones import parse_lines, parse_zones
from pipeline.cli.scoring.alert_replay import stored_boxes
from pipeline.cli.scoring.true_sightings import true_sightings
from pipeline.config.composition import load_written
from pipeline.core import TrackPart
from pipeline.counts.facts import Fact, FactFinder
from pipeline.counts.rows import Row, rows_of

COMPARED = {
    "line": ("left_to_right", "right_to_left"),
    "zone": ("entered", "left", "people", "most"),
    "visitors": ("people",),
}
"""Whole numbers that are compared, by kind of row."""


def true_rows(folder: Path, every_s: float) -> list[Row]:
    """Return the counts of the ground truth of a run's site.

    Raises:
        ConfigError: If the run has no stored boxes, or its site no ground truth.
    """
    site = load_written(folder / "config.yaml").site
    builder = AlertBuilder(name="counts", severity="info", group="sink")
    zones, lines = parse_zones(site.zones, builder, site.ground), parse_lines(site.lines, builder, site.ground)
    last: dict[tuple[str, object], Points] = {}
    people: dict[TrackPart, int] = {}
    facts: list[Fact] = []
    finder = FactFinder(zones, lines, lambda line, part: last.get((line, part.track_id)))
    stored = stored_boxes(folder)
    # Clocks of cameras differ by milliseconds: a picture before the first one of the run makes no interval of its own.
    began_at = min((float(np.frombuffer(part.boxes, SPOOLED)["captured_at"].min()) for part in stored), default=0.0)
    for sighting in true_sightings(folder, stored):
        found, points = finder.of(sighting)
        facts += found
        people[found[0].part] = sighting.person_id
        last |= {(line, sighting.track_id): point for line, point in points.items()}
    facts = [replace(fact, since=max(fact.since, began_at)) for fact in facts if fact.until >= began_at]
    return rows_of(facts, people.__getitem__, {}, every_s=every_s)


def differences(rows: Sequence[Row], truth: Sequence[Row]) -> Mapping[str, list[int]]:
    """Return how far counts are from the truth, by what is counted: one number for each interval and place."""
    counted, true = _cells(rows), _cells(truth)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for cell in sorted({**counted, **true}):
        found[cell[0]].append(abs(counted.get(cell, 0) - true.get(cell, 0)))
    return dict(found)


def _cells(rows: Sequence[Row]) -> dict[tuple[str, str, float], int]:
    return {
        (f"{row['kind']}: {name}", str(row["place"]), float(str(row["since"]))): int(str(row[name]))
        for row in rows
        for name in COMPARED.get(str(row["kind"]), ())
    }
