"""Runs alert rules over a past run: try a rule on yesterday before it is armed.

``passerby alerts replay outputs/RUN --rules new.yaml`` reads the boxes that the run has stored and the people as they
are now, after all corrections. Nothing of the run is changed.

``pipeline.config.rule_edits`` says what the file of rules may have.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from connectors.sinks.box_store import StoredPart, read_boxes
from connectors.sinks.final_boxes import SPOOLED
from pipeline.alerts.engine import AlertEngine
from pipeline.cli.scoring.true_sightings import certain_sighting, true_sightings
from pipeline.config.edits_of_run import run_of
from pipeline.config.rule_edits import CONFIG_DIRS, engine_of, parse_edits, read_rules
from pipeline.core import Alert, AlertState, CorrectionKind, Sighting, TrackPath
from pipeline.core.errors import ConfigError
from pipeline.ledger import NOBODY, LedgerReader


def replay(folder: Path, rules: Path | None, config_dirs: Sequence[Path] = ()) -> list[Alert]:
    """Return the alerts that rules raise over a run that has ended, each in its last form, in order of raising.

    Args:
        folder: Output folder of the run; it had the sink ``mot`` or ``annotated_video``, which store boxes.
        rules: The file of rules; None for the rules of the run.
        config_dirs: Folders with rules of one's own, besides those of the environment.

    Raises:
        ConfigError: If the folder holds no such run, or the rules cannot be used.
        ConnectorError: If a file of the run is damaged.
    """
    stored = stored_boxes(folder)
    engine = _engine(folder / "config.yaml", rules, config_dirs)
    if rules is not None:
        sizes = {each.part.track_id.camera_id: each.frame_hw for each in stored}
        for camera_id in sizes:
            engine.check_picture(camera_id, sizes)
    reader = LedgerReader(folder / "ledger.sqlite")
    try:
        names = [correction for _, correction in reader.corrections() if correction.kind is CorrectionKind.NAMED]
        engine.process(names)
        sightings = sorted(_sightings(stored, reader), key=lambda each: (each.last.captured_at, each.track_id))
        return _alerts(engine, sightings, _end(stored))
    finally:
        reader.close()


def replay_truth(folder: Path, rules: Path | None, config_dirs: Sequence[Path] = ()) -> list[Alert]:
    """Return the alerts that the same rules raise over the ground truth of a run's site.

    Raises:
        ConfigError: As ``replay``, or if the site has no ground truth.
    """
    stored = stored_boxes(folder)
    return _alerts(_engine(folder / "config.yaml", rules, config_dirs), true_sightings(folder, stored), _end(stored))


def stored_boxes(folder: Path) -> list[StoredPart]:
    """Return the boxes that a run has stored.

    Raises:
        ConfigError: If there are none.
        ConnectorError: If the file is damaged.
    """
    stores = sorted(folder.glob("*/boxes.sqlite"))
    if not stores:
        raise ConfigError(
            f"{folder}: expected a run that has ended, with the sink mot or annotated_video, got no stored boxes"
        )
    return list(read_boxes(stores[0]))


def _end(parts: Sequence[StoredPart]) -> float:
    """Return the newest moment at which a run saw anybody, Unix seconds; of the ground truth it is as good."""
    return max((float(np.frombuffer(part.boxes, SPOOLED)["captured_at"].max()) for part in parts), default=0.0)


def _alerts(engine: AlertEngine, sightings: Sequence[Sighting], until: float) -> list[Alert]:
    """Return the alerts of sightings in order, when the recordings end at a time, Unix seconds."""
    told: dict[str, Alert] = {}
    for sighting in sightings:
        for alert in (*engine.process([sighting]), *engine.tick(sighting.last.captured_at)):
            told[alert.key] = alert
    told |= {alert.key: alert for alert in engine.flush(until)}
    return [alert for alert in told.values() if alert.state is not AlertState.RETRACTED]


def _engine(config: Path, rules: Path | None, config_dirs: Sequence[Path]) -> AlertEngine:
    """Return the engine of a run's configuration, with the rules of a file."""
    run = run_of(config) | {CONFIG_DIRS: list(config_dirs)}
    other = {} if rules is None else parse_edits(read_rules(rules), str(rules))
    return engine_of(run, other, str(rules or config))


def _sightings(parts: Sequence[StoredPart], reader: LedgerReader) -> Iterator[Sighting]:
    """Yield the parts of tracks of a run with their present people; erased ones are left out."""
    for stored in parts:
        person_id = reader.person_of(stored.part)
        boxes = np.frombuffer(stored.boxes, SPOOLED)
        if person_id == NOBODY or not len(boxes):
            continue
        path = TrackPath(
            indices=boxes["index"].astype(np.int64),
            captured_at=boxes["captured_at"].astype(np.float64),
            boxes_xyxy=boxes["box_xyxy"].astype(np.float32),
            scores=boxes["score"].astype(np.float32),
            frame_hw=stored.frame_hw,
        )
        yield certain_sighting(stored.part, person_id, path, is_last=False)
