"""Whether somebody who is put on the watch-list will be watched for."""

from pathlib import Path

from pipeline.core import Correction, CorrectionKind

CONFIG, RULE = "config.yaml", ".WatchlistRule"
"""The configuration that a run leaves beside its ledger, and how the rule that knows the watch-list is named in it."""


def unwatched(correction: Correction, folder: Path) -> str:
    """Return a warning if a correction puts somebody on the watch-list of a run that has no rule for it; else "".

    Args:
        correction: What was done.
        folder: Output folder of the run. Without a ``config.yaml`` nothing is known, and nothing is warned of.
    """
    if correction.kind is not CorrectionKind.NAMED or not correction.name:
        return ""
    try:
        is_watched = RULE in (folder / CONFIG).read_text(encoding="utf-8")
    except OSError:
        return ""
    return "" if is_watched else "; warning: no alert will follow, because alerts of this run lacks watchlist"
