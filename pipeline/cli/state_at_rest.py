"""The state of a run that has ended: without people who are erased, or without everybody."""

import logging
from pathlib import Path

from pipeline.config.composition import load_written
from pipeline.config.plan import make_plan
from pipeline.core import Correction, CorrectionCommand, Embedding, Record, TrackPart
from pipeline.core.errors import ConnectorError, ReidError, WireFormatError
from pipeline.core.serialisation import deserialise, serialise
from pipeline.ledger import Ledger, LedgerReader, Saved
from pipeline.runtime.reducer import KINDS, AppliedCommand, Forgotten, Reducer, Window

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
        reducer = Reducer(plan.make_match(), plan.make_alert())
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
            ledger.forget({"last_person_id": last, "unpublished": _unpublished(ledger.saved(), reader)})
        return last + 1
    finally:
        reader.close()
        ledger.close()


def _unpublished(saved: Saved, reader: LedgerReader) -> list[tuple[str, bytes]]:
    """Return the records that a sink may lack, as ``Forgotten`` holds them: with the boxes of the inputs."""
    embeddings: dict[TrackPart, Embedding] = {}
    found: list[tuple[str, bytes]] = []
    chain = saved.chain
    for entry in saved.entries:
        if entry.number <= saved.published:
            chain = entry.chain
            continue
        try:
            event = deserialise(entry.body, KINDS[entry.kind])
        except WireFormatError:  # of another version
            continue
        if isinstance(event, Window):
            embeddings |= {TrackPart(each.track_id, each.part): each for each in event.embeddings}
        elif isinstance(event, Forgotten):
            found += event.unpublished
            chain = entry.chain
    for row in reader.events(after=reader.number_of(chain), limit=-1):
        record: Record | None = None
        if row.kind == "correction" and not row.is_erased:
            record = row.correction()
        elif row.kind == "alert" and not row.is_erased:
            record = row.alert()
        elif row.part in embeddings and not row.is_erased:
            record = row.sighting(embeddings[row.part])
        if record is not None:
            found.append((row.kind, serialise(record)))
        elif not row.is_erased:
            logger.warning("event %d of the ledger may be missing at sinks: its input cannot be read", row.number)
    return found
