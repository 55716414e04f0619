"""What the numbers of a configuration may be; its dataclasses only know their types."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError

KINDS = ("inline", "ray")

Range = tuple[str, Callable[[float], bool]]

# Written so that what is not a number is in none of them.
ABOVE_0: Range = ("a number above 0", lambda value: value > 0)
AT_LEAST_0: Range = ("a number of at least 0", lambda value: value >= 0)
AT_LEAST_1: Range = ("at least 1", lambda value: value >= 1)
FROM_0_TO_1: Range = ("a number from 0 to 1", lambda value: 0 <= value <= 1)

EXCEPTIONS: dict[str, Range] = {
    "buffer.contact_coverage": FROM_0_TO_1,
    "buffer.sure_score": FROM_0_TO_1,
    "buffer.doubtful_score": FROM_0_TO_1,
    "buffer.part_s": ABOVE_0,
    "detect.min_score": FROM_0_TO_1,
    "embed.min_quality": FROM_0_TO_1,
    "flow.max_backoff_s": ABOVE_0,
    "flow.min_backoff_s": ABOVE_0,
    "ledger.max_events": AT_LEAST_0,
    "matcher.calibration.caution": ("a number above 0, 1 at most", lambda value: 0 < value <= 1),
    "matcher.calibration.different_std": ABOVE_0,
    "matcher.calibration.max_evidence": ABOVE_0,
    "matcher.calibration.same_std": ABOVE_0,
    "matcher.forget_after_s": ABOVE_0,
    "matcher.max_false_match_rate": ("a number between 0 and 1", lambda value: 0 < value < 1),
    "matcher.review_every_s": ABOVE_0,
    "matcher.window_s": ABOVE_0,
    "runtime.max_restarts": AT_LEAST_0,
}
"""All others: whole numbers count something and are at least 1, other numbers are at least 0."""


def check_ranges(config: PipelineConfig) -> None:
    """Raise if a number would make the line hang, divide by zero or do nothing.

    Raises:
        ConfigError: Names the key.
    """
    if config.runtime.kind not in KINDS:
        raise ConfigError(f"runtime.kind: expected one of {', '.join(KINDS)}, got {config.runtime.kind}; correct it")
    for key, value in _numbers(config):
        expected, is_right = EXCEPTIONS.get(key, AT_LEAST_1 if isinstance(value, int) else AT_LEAST_0)
        if not is_right(value):
            raise ConfigError(f"{key}: expected {expected}, got {value:g}; correct it")
    start = config.matcher.calibration
    if not start.same_mean < start.different_mean:
        raise ConfigError(
            f"matcher.calibration.different_mean: expected a number above same_mean, {start.same_mean:g}, "
            f"got {start.different_mean:g}; correct it"
        )


def _numbers(node: object, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield dotted keys and values of the numbers in nested dataclasses; what is in lists and plug-ins is left out."""
    assert is_dataclass(node)
    for field in fields(node):
        value: Any = getattr(node, field.name)
        if is_dataclass(value):
            yield from _numbers(value, f"{prefix}{field.name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and field.type is not Any:
            yield f"{prefix}{field.name}", value
