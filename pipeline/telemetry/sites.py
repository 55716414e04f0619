"""``sites.json``: the sites of a job, in the folder that holds theirs, for other processes."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

FILE = "sites.json"

logger = logging.getLogger(__name__)


def write_sites(folder: Path, errors: Mapping[str, str | None]) -> None:
    """Write which sites a job has; readers never see half a file.

    Args:
        folder: Output folder of the job; each site has a folder of its name in it.
        errors: What ended each site that failed; None for one that goes on or ended well.
    """
    part = folder / f"{FILE}.part"
    try:
        part.write_text(json.dumps({"sites": {name: {"error": error} for name, error in errors.items()}}, indent=2))
        os.replace(part, folder / FILE)
    except OSError as error:
        logger.warning("%s: cannot be written, so passerby status does not know what failed: %s", folder / FILE, error)


def sites_of(folder: Path) -> dict[str, str | None]:
    """Return the sites of a job, and what ended each that failed; none if the folder is of a run of one site."""
    try:
        sites = json.loads((folder / FILE).read_text())["sites"]
        return {str(name): site["error"] for name, site in sites.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
