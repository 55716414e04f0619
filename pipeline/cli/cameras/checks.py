"""Checks the cameras of a run before it reads them: at its start, and of one that is added later."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.alerts.engine import AlertEngine
from pipeline.config.rule_edits import engine_of, of_run, parse_edits, read_rules
from pipeline.config.schema import PipelineConfig
from pipeline.core import Frame, Source
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.plugin_contract import blaming, made
from pipeline.runtime.plan import Plan
from pipeline.telemetry.logs import without_warnings

logger = logging.getLogger(__name__)


def check_pictures(config: PipelineConfig, plan: Plan, camera_ids: Iterable[str]) -> Plan:
    """Return the plan with the time of the first frame of each recording.

    Raises:
        ConfigError: If the pictures of these cameras do not show one of their zones or lines.
    """
    alert = _alert_engine(config, plan)
    sizes: dict[str, tuple[int, int]] = {}
    intakes = dict(plan.intakes)
    for camera_id in camera_ids:
        if (frame := _first_frame(config.site.cameras[camera_id], plan.make_sources[camera_id]())) is not None:
            sizes[camera_id] = frame.size_hw
            intakes[camera_id] = replace(intakes[camera_id], first_at=frame.stamp.captured_at)
            alert.check_picture(camera_id, sizes)
    return replace(plan, intakes=intakes)


def _alert_engine(config: PipelineConfig, plan: Plan) -> AlertEngine:
    """Return the rules with which a run begins; they warn when they are taken, not here."""
    if not plan.edits.exists():
        return plan.make_alert()
    name = str(plan.edits)
    return engine_of(of_run(config), parse_edits(read_rules(plan.edits), name), name, warns=False)


def _first_frame(camera: object, source: Source) -> Frame | None:
    """Return the first frame of a file or a folder of images; None of other cameras."""
    if not parse_camera(camera).is_complete:
        return None
    try:
        with without_warnings(), blaming(f"site.cameras.{source.camera_id}", source):
            return next(iter(source.frames()), None)
    except SourceLostError:
        return None  # the run reads it again, and reports what is wrong
    finally:
        source.close()


def check_cameras(config: PipelineConfig, plan: Plan, pool: ThreadPoolExecutor) -> None:
    """Raise if recordings cannot be opened, or no live camera can; one that is down does not stop the others."""
    wrong, away = list[str](), list[ConfigError]()
    asked = {
        name: pool.submit(check_source, make_source, f"site.cameras.{name}", config.site.footage)
        for name, make_source in plan.make_sources.items()
    }
    for name, make_source in plan.make_sources.items():
        try:
            asked[name].result()
        except ConfigError as error:
            source = make_source()
            source.close()
            if source.live:
                away.append(error)
            else:
                wrong.append(_under_typed_key(str(error), name, config))
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    if away and len(away) == len(plan.make_sources) and not plan.resume:
        raise away[0]
    for reason in away:
        logger.warning("%s; it is opened again and again", reason)


def _under_typed_key(text: str, name: str, config: PipelineConfig) -> str:
    """Return an error of a camera's option under the key that says it: the camera's own, or that of all of its kind."""
    own = f"site.cameras.{name}."
    if not text.startswith(own):
        return text
    option, camera = text[len(own) :].partition(":")[0], parse_camera(config.site.cameras[name])
    is_shared = option not in camera.options and option in config.source.get(camera.kind, {})
    return f"source.{camera.kind}.{text[len(own) :]}" if is_shared else text


def check_source(make_source: Callable[[], Source], key: str, footage: str | None) -> None:
    """Raise ``ConfigError`` under this key if a source cannot be opened; add where its footage can be had."""
    source = made(key, make_source)
    try:
        with blaming(key, source):
            source.check()
    except ConfigError as error:
        text = str(error).replace(f"site.cameras.{source.camera_id}:", f"{key}:", 1)
        raise ConfigError(text if footage is None else f"{text}; {' '.join(footage.split())}") from error
    finally:
        source.close()
