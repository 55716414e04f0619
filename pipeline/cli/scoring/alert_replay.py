"""Runs alert rules over a past run: try a rule on yesterday before it is armed.

``passerby alerts replay outputs/RUN --rules new.yaml`` reads the boxes that the run has stored and the people as they
are now, after all corrections. Nothing of the run is changed.

The file of rules has some of these keys; one that it leaves out is as in the run. ``alerts`` names every rule to try::

    site: {zones: {door: {camera: east, polygon: [[0, 0], [90, 0], [90, 60]]}}, max_dwell_s: 20}
    alerts: {zone_dwell: {severity: critical}, line_crossing: {}}
    alerting: {cooldown_s: 0}
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from connectors.sinks.box_store import StoredPart, read_boxes
from connectors.sinks.final_boxes import SPOOLED
from pipeline.alerts.engine import AlertEngine
from pipeline.cli.scoring.true_sightings import certain_sighting, true_sightings
from pipeline.config.composition import CONFIGS
from pipeline.config.places import check_places
from pipeline.config.plugins import build
from pipeline.config.schema import AlertingConfig
from pipeline.config.validation import check_numbers
from pipeline.core import Alert, AlertState, CorrectionKind, Sighting, TrackPath
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import made
from pipeline.ledger import NOBODY, LedgerReader

REPLACED = ("zones", "lines")
"""Keys of a site that a file of rules replaces as a whole."""


def replay(folder: Path, rules: Path | None) -> list[Alert]:
    """Return the alerts that rules raise over a run that has ended, each in its last form, in order of raising.

    Args:
        folder: Output folder of the run; it had the sink ``mot`` or ``annotated_video``, which store boxes.
        rules: The file of rules; None for the rules of the run.

    Raises:
        ConfigError: If the folder holds no such run, or the rules cannot be used.
        ConnectorError: If a file of the run is damaged.
    """
    stored = stored_boxes(folder)
    engine = _engine(folder / "config.yaml", rules)
    reader = LedgerReader(folder / "ledger.sqlite")
    try:
        names = [correction for _, correction in reader.corrections() if correction.kind is CorrectionKind.NAMED]
        engine.process(names)
        sightings = sorted(_sightings(stored, reader), key=lambda each: (each.last.captured_at, each.track_id))
        return _alerts(engine, sightings, _end(stored))
    finally:
        reader.close()


def replay_truth(folder: Path, rules: Path | None) -> list[Alert]:
    """Return the alerts that the same rules raise over the ground truth of a run's site.

    Raises:
        ConfigError: As ``replay``, or if the site has no ground truth.
    """
    stored = stored_boxes(folder)
    return _alerts(_engine(folder / "config.yaml", rules), true_sightings(folder, stored), _end(stored))


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


def _engine(config: Path, rules: Path | None) -> AlertEngine:
    """Return the engine of a run's configuration, with the rules of a file."""
    try:
        run: Any = OmegaConf.to_container(OmegaConf.load(config))
        other: Any = {} if rules is None else OmegaConf.to_container(OmegaConf.load(rules))
        if not isinstance(other, dict) or not set(other) <= {"site", "alerts", "alerting"}:
            raise ConfigError(f"{rules}: expected some of site, alerts, alerting, got {other!r:.80}; correct it")
        for part in ("site", "alerting"):
            for key in sorted(set(other.get(part) or {}) - set(run[part])):
                known = ", ".join(sorted(run[part]))
                raise ConfigError(f"{rules}: {part}.{key}: there is no such key; expected one of {known}")
        if isinstance(other.get("alerts"), str):
            raise ConfigError(
                f"{rules}: alerts: expected rules, [zone_dwell] or {{zone_dwell: {{}}}}, got a text; correct it"
            )
        chosen = other.get("alerts", run["alerts"] if rules is None else dict.fromkeys(run["alerts"]))
        chosen = dict.fromkeys(chosen) if isinstance(chosen, list) else dict(chosen)
        site: Any = OmegaConf.merge(run["site"], other.get("site") or {})
        for key in REPLACED:
            if key in (other.get("site") or {}):
                site[key] = other["site"][key]
        alerts = {name: OmegaConf.merge(_node(name, run["alerts"]), options or {}) for name, options in chosen.items()}
        alerting = OmegaConf.merge(AlertingConfig, run["alerting"], other.get("alerting") or {})
        whole: Any = OmegaConf.to_container(
            OmegaConf.create({"site": site, "alerts": alerts, "alerting": alerting}), resolve=True
        )
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{rules or config}: expected rules as docs/alerts.md shows, got {_words(error)}") from error
    check_places(whole["site"], whole["alerts"])
    check_numbers(AlertingConfig(**whole["alerting"]), "alerting.")
    allow = run.get("allow_plugins") or ()
    made_rules = [
        made(f"alerts.{name}", build(node, f"alerts.{name}", allow=allow)) for name, node in whole["alerts"].items()
    ]
    return AlertEngine(made_rules, **whole["alerting"])


def _words(error: Exception) -> str:
    """Return what is wrong with a file of rules, in one line."""
    if isinstance(error, FileNotFoundError):
        return "no such file; correct the path"
    if isinstance(error, OSError):
        return f"a file that cannot be read ({error.strerror or error}); check its rights"
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"no YAML: {error.problem or 'an error'} in line {error.problem_mark.line + 1}; correct it"
    if isinstance(error, YAMLError | UnicodeDecodeError):
        return "no YAML; correct it"
    if isinstance(error, OmegaConfBaseException):
        key = f"{error.full_key}: " if getattr(error, "full_key", None) else ""
        return f"{key}{str(error).splitlines()[0]:.200}; correct it"
    return "other keys or kinds of values; correct it"


def _node(name: str, of_run: Mapping[str, Any]) -> Any:
    path = CONFIGS / "alerts" / f"{name}.yaml"
    if not path.is_file() and name in of_run:
        return of_run[name]  # a plug-in of another package, as the run had it
    if not path.is_file():
        choices = ", ".join(sorted(each.stem for each in path.parent.glob("*.yaml")))
        raise ConfigError(f"alerts.{name}: expected one of {choices}, got {name}; correct it")
    loaded: Any = OmegaConf.load(path)
    return loaded[name]


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
