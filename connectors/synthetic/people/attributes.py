"""Attributes of a person's appearance: those of the MARS attribute set and a few more."""

import numpy as np

from connectors.synthetic.people.colour import lab
from connectors.synthetic.people.person import Colour, Fabric, Outfit, Person

NAMES = (
    *("top_colour", "bottom_colour", "age", "female", "long_hair", "hat", "glasses", "backpack", "shoulder_bag"),
    *("handbag", "long_sleeves", "long_bottom", "skirt"),
)
TOP_COLOURS = ("black", "purple", "green", "blue", "gray", "white", "yellow", "red", "complex")
BOTTOM_COLOURS = ("white", "purple", "black", "green", "gray", "pink", "yellow", "blue", "brown", "complex")
AGES = ("young", "teenager", "adult", "old")
_NAMED: dict[str, Colour] = {
    "black": (28, 28, 32),
    "white": (232, 232, 228),
    "gray": (125, 127, 130),
    "red": (170, 35, 40),
    "green": (60, 104, 60),
    "blue": (50, 80, 145),
    "yellow": (220, 180, 60),
    "purple": (98, 56, 128),
    "pink": (220, 140, 164),
    "brown": (98, 66, 44),
}


def attributes(person: Person, outfit: Outfit) -> tuple[int, ...]:
    """Return one number for each of ``NAMES``: an index into its list of values, or 0 or 1."""
    bag = outfit.bag.kind if outfit.bag else ""
    lower = outfit.skirt.fabric if outfit.skirt and outfit.top.kind != "coat" else outfit.bottom.fabric
    age = 3 if person.age_years >= 60 else 2 if person.age_years >= 20 else 1
    values = (
        *(
            TOP_COLOURS.index(_named(outfit.top.fabric, TOP_COLOURS)),
            BOTTOM_COLOURS.index(_named(lower, BOTTOM_COLOURS)),
        ),
        *(age, person.female, person.hair.style in ("long", "pony", "bob"), outfit.hat is not None, person.glasses),
        *(bag == "backpack", bag == "shoulder", bag == "hand", outfit.top.sleeve >= 1.5),
        *(outfit.bottom.length >= 1.5, outfit.skirt is not None and outfit.top.kind != "coat"),
    )
    return tuple(int(value) for value in values)


def _named(fabric: Fabric, names: tuple[str, ...]) -> str:
    """Return the nearest named colour, or ``complex`` for a pattern of two colours."""
    known = {name: colour for name, colour in _NAMED.items() if name in names}
    nearest = [
        min(known, key=lambda name: float(np.linalg.norm(lab(known[name]) - lab(colour))))
        for colour in (fabric.colour, fabric.second)
    ]
    return nearest[0] if fabric.pattern == "plain" or nearest[0] == nearest[1] else "complex"
