"""Whether somebody who is put on the watch-list will be watched for."""

import re
from pathlib import Path

from pipeline.core import Correction, CorrectionKind

CONFIG, RULE = "config.yaml", ".WatchlistRule"
"""The configuration that a run leaves beside its ledger, and how the rule that knows the watch-list is named in it."""

EDITS, EDITED_RULE = "edits.yaml", "watchlist"
"""The rules that are edited while a run goes on, unless the configuration names another file, and the same there."""


def unwatched(correction: Correction, folder: Path) -> str:
    """Return a warning if a correction puts somebody on the watch-list of a run that has no rule for it; else "".

    Args:
        correction: What was done.
        folder: Output folder of the run. Without a ``config.yaml`` nothing is known, and nothing is warned of.
    """
    if correction.kind is not CorrectionKind.NAMED or not correction.name:
        return ""
    try:
        config = (folder / CONFIG).read_text(encoding="utf-8")
    except OSError:
        return ""
    edits = _edits(config, folder)
    is_watched = EDITED_RULE in edits if "alerts:" in edits else RULE in config  # they name every rule, or none
    return "" if is_watched else "; warning: no alert will follow, because alerts of this run lacks watchlist"


def _edits(config: str, folder: Path) -> str:
    """Return the edits of a run as text; nothing if there are none."""
    named = re.search(r"^edits: (?!null)['\"]?(.+?)['\"]?$", config, re.MULTILINE)
    try:
        return Path(named[1] if named else folder / EDITS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
