"""A plot of points as SVG: accuracy against cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 24, 52
_COLOURS = ("#2f6fde", "#d9822b")
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One point.

    Attributes:
        name: Written beside it.
        x: Above 0.
        y: Any.
        is_other: Drawn as something to compare with.
    """

    name: str
    x: float
    y: float
    is_other: bool


def plot(points: Sequence[Point], *, x_label: str, y_label: str) -> str:
    """Return a drawing; x in powers of ten, y from a little below the lowest.

    Args:
        points: At least one.
        x_label: With the unit.
        y_label: With the unit.
    """
    xs, ys = np.log10([point.x for point in points]), np.array([point.y for point in points])
    x_low, x_high = xs.min() - 0.1, xs.max() + 0.1
    step = _nice((ys.max() - ys.min()) / _TICKS or 1.0)
    y_low, y_high = step * np.floor(ys.min() / step), step * np.ceil(ys.max() / step + 0.01)

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        return across, _HEIGHT - _BOTTOM - (y - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for tick in np.arange(y_low, y_high + step / 2, step):
        left, top = place(x_low, tick)
        right, _ = place(x_high, tick)
        parts.append(f'<path d="M{left:.1f} {top:.1f}H{right:.1f}" stroke="#e4e4e0"/>')
        parts.append(_text(left - 8, top + 4, f"{tick:.3g}", anchor="end"))
    for value in _round_values(10**x_low, 10**x_high):
        across, bottom = place(float(np.log10(value)), y_low)
        parts.append(f'<path d="M{across:.1f} {bottom:.1f}V{_TOP}" stroke="#e4e4e0"/>')
        parts.append(_text(across, bottom + 18, f"{value:g}", anchor="middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_text(middle, _HEIGHT - 10, x_label, anchor="middle"))
    parts.append(
        f'<text transform="translate(18 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    for point, x, y in zip(points, xs, ys, strict=True):
        across, down = place(float(x), float(y))
        parts.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="5" fill="{_COLOURS[point.is_other]}"/>')
        parts.append(_text(across + 9, down + 4, point.name, anchor="start"))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _nice(step: float) -> float:
    """Return the next of 1, 2 and 5 times a power of ten."""
    power = 10 ** np.floor(np.log10(step))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step))


def _round_values(low: float, high: float) -> list[float]:
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    return [float(f"{power * factor:g}") for power in powers for factor in (1, 2, 5) if low <= power * factor <= high]
