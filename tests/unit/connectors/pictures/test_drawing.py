"""Lettering has the letters of more languages than English."""

import numpy as np

from connectors.pictures.drawing import WHITE, lettering


def test_letters_with_marks_are_not_boxes() -> None:
    unknown = lettering("\ufffe", font_px=20, ink=WHITE).opacity
    drawn = {letter: lettering(letter, font_px=20, ink=WHITE).opacity for letter in "üñłçЖΩ"}
    for letter, opacity in drawn.items():
        assert not np.array_equal(opacity, unknown), letter
    assert len({opacity.tobytes() for opacity in drawn.values()}) == len(drawn)
