"""The match stage of the simulations, built from the same parts as in the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from models.gallery.faiss_index import FaissGallery
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.constraints import LinkConstraints
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.matcher import Matcher

WELL_SEPARATED = DistanceModel(same_mean=0.35, same_std=0.06, different_mean=1.0, different_std=0.08)
"""Starting point of the calibration for well separated vectors."""
AS_SHIPPED = DistanceModel(same_mean=0.42, same_std=0.17, different_mean=0.85, different_std=0.17)
"""Starting point of the calibration for vectors as hard to separate as those of the shipped networks."""
MAX_FALSE_MATCH_RATE = 0.01
"""Specified false match rate of comparisons. A larger one makes more links, right and false ones."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Arguments of ``Matcher`` and ``FaissGallery`` that differ between simulations; their docstrings define them."""

    max_identities: int
    forget_after_s: float = inf
    recluster_every_s: float = 60.0
    recluster_window_s: float = 30.0
    approximate_above: float = inf


def make_stage(
    calibration: Calibration,
    settings: Settings,
    transit_times: Mapping[tuple[str, str], TransitBounds] | None = None,
    overlaps: frozenset[tuple[str, str]] | None = frozenset(),
) -> Matcher:
    """Return the stage; transits take any time unless ``transit_times`` bounds them.

    ``overlaps`` are those of a ``Topology``: no cameras overlap unless stated.
    """
    return Matcher(
        FaissGallery(device="cpu", threads=1, approximate_above=settings.approximate_above),
        calibration,
        LinkConstraints(Topology(transit_times or {}, overlaps=overlaps), inf),
        max_false_match_rate=MAX_FALSE_MATCH_RATE,
        recluster_every_s=settings.recluster_every_s,
        recluster_window_s=settings.recluster_window_s,
        forget_after_s=settings.forget_after_s,
        max_identities=settings.max_identities,
        max_prototypes=4,
    )


def make_calibration(*, well_separated: bool) -> Calibration:
    """Return a calibration without learned labels."""
    return Calibration(
        WELL_SEPARATED if well_separated else AS_SHIPPED, caution=1.0, max_llr=12.0 if well_separated else 6.0
    )


def resident_mb() -> float:
    """Return the resident memory of this process, megabytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6
