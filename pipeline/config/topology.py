"""What ``site`` says of which cameras see one person at once, and of the transits between the others."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from pipeline.association.geometry.topology import Topology, TransitBounds, camera_pair
from pipeline.config.cameras import known_cameras
from pipeline.config.schema import SiteConfig
from pipeline.core.errors import ConfigError

TOPOLOGY = ("overlaps", "no_overlap", "transit_times")
"""Keys of a site that may be edited, and that the matcher of a run that goes on follows."""


def site_topology(site: Mapping[str, Any]) -> Topology:
    """Return the topology of a site in plain values.

    Raises:
        ConfigError: As ``topology_of``.
        OmegaConfBaseException: If a value is of another kind.
    """
    keys = (*TOPOLOGY, "no_transit", "later")
    given = {key: site[key] for key in keys if key in site} | {"cameras": dict.fromkeys(site["cameras"])}
    typed: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SiteConfig), given))
    return topology_of(typed)


def topology_of(site: SiteConfig) -> Topology:
    """Return the topology of a site.

    Raises:
        ConfigError: If it names a camera that the site does not have, or times in another order; names the key.
    """
    transits = site.transit_times
    groups = {
        "overlaps": site.overlaps or [],
        "no_overlap": site.no_overlap,
        "transit_times": [transit.between for transit in transits],
        "no_transit": site.no_transit,
    }
    for key, pairs in groups.items():
        for pair in pairs:
            if len(pair) != 2 or any(camera_id not in known_cameras(site) for camera_id in pair):
                known = sorted(known_cameras(site))
                raise ConfigError(f"site.{key}: expected two of {known}, got {list(pair)}; correct it")
    for transit in transits:
        typical_s = transit.min_s if transit.typical_s is None else transit.typical_s
        if not 0 <= transit.min_s <= typical_s <= transit.max_s or transit.typical_s == 0:
            raise ConfigError(
                f"site.transit_times: expected 0 <= min_s <= typical_s <= max_s between {list(transit.between)}, "
                f"got {transit.min_s:g}, {transit.typical_s}, {transit.max_s:g}; correct it"
            )
    return Topology(
        {
            camera_pair(*transit.between): TransitBounds(transit.min_s, transit.max_s, transit.typical_s)
            for transit in transits
        },
        None if site.overlaps is None else frozenset(camera_pair(*pair) for pair in site.overlaps),
        frozenset(camera_pair(*pair) for pair in site.no_overlap),
        frozenset((from_camera, to_camera) for from_camera, to_camera in site.no_transit),
    )
