"""The state of a run that has ended: without people who are erased, or without everybody."""

import logging
from pathlib import Path

from pipeline.config.composition import load_written
from pipeline.config.plan import make_plan
from pipeline.core import Correction, CorrectionCommand
from pipeline.core.errors import ConnectorError, ReidError
from pipeline.ledger import Ledger, LedgerReader, Saved
from pipeline.ledger.unpublished import unpublished_records
from pipeline.runtime.reducer import AppliedCommand, Reducer

logger = logging.getLogger(__name__)


def forget(
    folder: Path, saved: Saved, command: CorrectionCommand, correction: Correction
) -> tuple[bytes, list[bytes]] | None:
    """Return the state without the people that a correction erases, and excerpts of what was removed.

    Everybody else keeps number and appearance, so a run that is resumed goes on with them. Builds the matcher and the
    alert engine as the run had them, and no network.

    Args:
        folder: Output folder of the run.
        saved: What its ledger saved.
        command: The command that erases.
        correction: Its correction.

    Returns:
        None if the state cannot be restored here: the configuration is gone, or no longer leads to the same events.
    """
    if saved.state is None and not saved.entries:
        return None
    try:
        plan = make_plan(load_written(folder / "config.yaml"))
        reducer = Reducer(plan.make_match(), plan.make_alert, plan.make_topology)
        reducer.bring_back(saved, folder)
        traces = reducer.match.traces_of(correction.person_ids)
        reducer.apply_at_rest(AppliedCommand(command, correction))
        return reducer.snapshot(), traces
    except ReidError as error:
        logger.warning("the appearance of all people is forgotten, a resumed run starts without it: %s", error)
        return None


def forget_everybody(path: Path) -> int:
    """Let a run that goes on start with strangers: numbers, names and events stay, what people look like goes.

    That is the way on for a program that would decide otherwise than the one that was interrupted. What sinks may lack
    is kept for them.

    Args:
        path: The ledger.

    Returns:
        The number that the next new person gets.

    Raises:
        ConnectorError: If there is no such ledger, or a run writes it.
    """
    if not path.is_file():
        raise ConnectorError(f"{path}: expected a ledger, got no file; name the ledger.sqlite of a run")
    ledger, reader = Ledger(path), LedgerReader(path)
    try:
        with ledger.lease.kept():
            last = reader.people().numbers.last
            ledger.forget(last, unpublished_records(ledger.saved(), reader))
        return last + 1
    finally:
        reader.close()
        ledger.close()
