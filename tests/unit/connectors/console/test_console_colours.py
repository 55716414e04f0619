"""Contrast of the page's colours: WCAG 2 AA, in light and dark."""

import re
from pathlib import Path

import pytest

STYLE = Path(__file__).resolve().parents[4] / "connectors/console/page/style.css"
AA_TEXT, AA_PARTS = 4.5, 3.0

TEXT = [
    *[("ink", ground) for ground in ("paper", "card", "sunk")],
    *[("soft", ground) for ground in ("paper", "card", "sunk")],
    *[("accent", ground) for ground in ("paper", "card", "tint")],
    ("on-accent", "accent"),
    ("paper", "ink"),
    *[("bad", ground) for ground in ("card", "bad-tint")],
    ("card", "bad"),
    *[(f"{kind}", f"{kind}-tint") for kind in ("warn", "good")],
]


def colours(theme: str) -> dict[str, str]:
    text = STYLE.read_text()
    selector = ":root {" if theme == "light" else ':root[data-theme="dark"] {'
    block = text[text.index(selector) :].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_has_enough_contrast(theme: str, text: str, ground: str) -> None:
    found = colours(theme)
    assert contrast(found[text], found[ground]) >= AA_TEXT


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_focus_ring_has_enough_contrast(theme: str) -> None:
    found = colours(theme)
    assert contrast(found["accent"], found["card"]) >= AA_PARTS
