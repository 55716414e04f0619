"""A line chart in SVG."""

from collections.abc import Sequence
from html import escape
from math import log10

WIDTH, HEIGHT, MARGIN = 640, 320, 56


def to_svg(points: Sequence[tuple[float, float]], *, title: str, x: str, y: str) -> str:
    """Return a chart of points; y starts at 0, and x is logarithmic if it spans more than a factor of 100.

    Example:
        >>> to_svg([(1, 2.0), (10, 3.0)], title="a < b", x="people", y="ms").count("<circle")
        2
    """
    xs = [value for value, _ in points]
    scale = log10 if min(xs) > 0 and max(xs) > 100 * min(xs) else float
    first, last = scale(min(xs)), scale(max(xs))
    top = max(value for _, value in points) or 1.0
    places = [
        (
            MARGIN + (scale(one) - first) / ((last - first) or 1) * (WIDTH - 2 * MARGIN),
            HEIGHT - MARGIN - two / top * (HEIGHT - 2 * MARGIN),
        )
        for one, two in points
    ]
    line = " ".join(f"{one:.1f},{two:.1f}" for one, two in places)
    bottom, right = HEIGHT - MARGIN, WIDTH - MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#999"/>',
            f'<polyline points="{line}" fill="none" stroke="#36c" stroke-width="2"/>',
            *(f'<circle cx="{one:.1f}" cy="{two:.1f}" r="3" fill="#36c"/>' for one, two in places),
            f'<text x="{MARGIN}" y="28" font-size="14">{escape(title)}</text>',
            f'<text x="{MARGIN}" y="{bottom + 18}">{min(xs):,g}</text>',
            f'<text x="{right}" y="{bottom + 18}" text-anchor="end">{max(xs):,g} {escape(x)}</text>',
            f'<text x="{MARGIN - 6}" y="{bottom}" text-anchor="end">0</text>',
            f'<text x="{MARGIN - 6}" y="{MARGIN + 4}" text-anchor="end">{top:.3g}</text>',
            f'<text x="{MARGIN - 6}" y="{MARGIN - 10}" text-anchor="end">{escape(y)}</text>',
            "</svg>",
            "",
        ]
    )
