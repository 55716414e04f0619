"""The match stage as the line builds it, for a site of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from models.gallery.faiss_index import FaissGallery
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.constraints import LinkConstraints
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.matcher import Matcher

CLEAR = DistanceModel(same_mean=0.35, same_std=0.06, different_mean=1.0, different_std=0.08)
AS_SHIPPED = DistanceModel(same_mean=0.42, same_std=0.17, different_mean=0.85, different_std=0.17)
MAX_FALSE_MATCH_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Settings:
    """What of ``Matcher`` and ``FaissGallery`` differs from simulation to simulation."""

    max_identities: int
    forget_after_s: float = inf
    recluster_every_s: float = 60.0
    recluster_window_s: float = 30.0
    approximate_above: float = inf


def make_stage(
    calibration: Calibration, settings: Settings, transit_times: Mapping[tuple[str, str], TransitBounds] | None = None
) -> Matcher:
    """Return the stage; no two cameras see the same ground, and a walk may take any time but where it is stated."""
    return Matcher(
        FaissGallery(device="cpu", threads=1, approximate_above=settings.approximate_above),
        calibration,
        LinkConstraints(Topology(transit_times or {}, overlaps=frozenset()), inf),
        max_false_match_rate=MAX_FALSE_MATCH_RATE,
        recluster_every_s=settings.recluster_every_s,
        recluster_window_s=settings.recluster_window_s,
        forget_after_s=settings.forget_after_s,
        max_identities=settings.max_identities,
        max_prototypes=4,
    )


def make_calibration(*, is_clear: bool) -> Calibration:
    """Return one that has learned nothing yet."""
    return Calibration(CLEAR if is_clear else AS_SHIPPED, caution=1.0, max_llr=12.0 if is_clear else 6.0)


def resident_mb() -> float:
    """Return the memory that this process holds, megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6
