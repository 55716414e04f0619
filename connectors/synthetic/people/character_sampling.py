"""Character sampling: bodies, clothes and gaits of synthetic people, drawn by seed."""

from dataclasses import replace

import numpy as np

from connectors.synthetic.people.body import AGE, DARKNESS, FEMALE, WEIGHT, load_body_asset
from connectors.synthetic.people.colour import contrast
from connectors.synthetic.people.person import Bag, Bottom, Colour, Fabric, Gait, Hair, Hat, Outfit, Person, Skirt, Top
from pipeline.core.errors import ConfigError

WARDROBES = {"vivid": 0.1, "everyday": 0.55, "muted": 0.92, "uniform": 1.0}
"""Probability that a garment has a neutral colour. With ``uniform`` nearly all wear the same garments."""

MIN_SKIN_CONTRAST = 26.0
"""Least L*a*b* distance between a garment and the wearer's skin. With a smaller one people may look undressed."""

COLOURS: dict[str, Colour] = {
    "black": (28, 28, 32),
    "white": (232, 232, 228),
    "grey": (128, 130, 134),
    "charcoal": (58, 60, 66),
    "navy": (30, 40, 78),
    "red": (178, 34, 38),
    "blue": (45, 88, 168),
    "green": (44, 104, 62),
    "olive": (92, 92, 52),
    "beige": (202, 182, 148),
    "brown": (98, 66, 44),
    "yellow": (224, 184, 44),
    "orange": (222, 112, 34),
    "pink": (220, 140, 164),
    "purple": (98, 56, 128),
    "teal": (28, 128, 132),
    "denim": (72, 98, 138),
    "light blue": (150, 186, 216),
    "maroon": (98, 26, 42),
    "khaki": (168, 148, 106),
}
_NEUTRAL = ("black", "black", "navy", "grey", "charcoal", "white", "beige", "denim", "olive", "brown")
_LOWER = ("black", "navy", "grey", "charcoal", "beige", "brown", "khaki", "olive", "denim", "white", "maroon")
_SKINS: tuple[Colour, ...] = (
    *((238, 205, 180), (224, 180, 148), (198, 148, 112), (160, 110, 80), (112, 74, 52), (78, 52, 38)),
)
_HAIRS: tuple[Colour, ...] = (
    *((22, 18, 16), (48, 32, 22), (92, 60, 36), (150, 112, 62), (120, 52, 26), (196, 160, 96)),
)
_GREY: Colour = (150, 150, 150)


def sample_characters(count: int, *, seed: int, wardrobe: str, lookalikes: float) -> tuple[Person, ...]:
    """Return ``count`` people; a larger count keeps the people of a smaller one.

    Args:
        count: At least 0.
        seed: At least 0.
        wardrobe: One of ``WARDROBES``.
        lookalikes: In [0, 1]: share of people who wear the clothes of the person before them.

    Raises:
        ConfigError: If an argument is out of range.
    """
    if count < 0 or seed < 0 or not 0 <= lookalikes <= 1:
        raise ConfigError(
            f"people, seed, lookalikes: expected 0 or more, 0 or more, and 0 to 1, got {count}, {seed}, {lookalikes}"
        )
    if wardrobe not in WARDROBES:
        raise ConfigError(f"wardrobe: expected one of {', '.join(WARDROBES)}, got {wardrobe!r}")
    people: list[Person] = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        drawn = _CharacterSampler(rng, neutral=WARDROBES[wardrobe]).person(seed * 100_000 + number)
        if wardrobe == "uniform":
            model = _CharacterSampler(np.random.default_rng([seed, 1 << 20]), neutral=1.0).person(0)
            drawn = _dressed_like(drawn, model)
        if people and rng.random() < lookalikes:
            drawn = _dressed_like(drawn, people[-1])
        people.append(drawn)
    return tuple(people)


def _dressed_like(person: Person, model: Person) -> Person:
    """Return ``person`` in the clothes of ``model``, unless these are too near to the colour of the skin."""
    colours = [colour for outfit in model.outfits for colour in worn_colours(outfit)]
    if min(contrast(colour, person.skin) for colour in colours) < MIN_SKIN_CONTRAST:
        return person
    return replace(person, outfits=model.outfits)


def worn_colours(outfit: Outfit) -> list[Colour]:
    """Return the colours of the garments that cover the body."""
    fabrics = [outfit.top.fabric, outfit.bottom.fabric, *([outfit.skirt.fabric] if outfit.skirt else [])]
    shown = [outfit.top.open_on] if outfit.top.open_on else []
    return [colour for fabric in fabrics for colour in (fabric.colour, fabric.second)] + shown


class _CharacterSampler:
    """Samples one person; the draws have a fixed order."""

    def __init__(self, rng: np.random.Generator, *, neutral: float) -> None:
        self._rng = rng
        self._neutral = neutral
        self._skin: Colour = _SKINS[0]

    def person(self, seed: int) -> Person:
        rng, asset = self._rng, load_body_asset()
        row = int(rng.integers(len(asset.coefficients)))
        traits = asset.traits[row]
        female = bool(traits[FEMALE] > 0.5)
        tone = int(np.clip(round(5 * float(traits[DARKNESS]) + rng.normal(0, 0.4)), 0, 5))
        self._skin = self._vary(_SKINS[tone], 0.06)
        usual = self._outfit(female)
        gait = self._gait(usual)
        mean_m, spread_m = (1.63, 0.065) if female else (1.76, 0.07)
        return Person(
            seed=seed,
            female=female,
            age_years=float(traits[AGE]),
            height_m=float(np.clip(rng.normal(mean_m, spread_m), 1.48, 1.98)),
            weight=float(traits[WEIGHT]),
            body=row,
            skin=self._skin,
            hair=self._hair(female, tone, float(traits[AGE])),
            glasses=rng.random() < 0.25,
            gait=gait,
            speed_m_s=float(np.clip(rng.normal(1.25, 0.17), 0.8, 1.8)),
            outfits=(usual, self._changed(usual)),
        )

    def _pick(self, table: dict[str, float]) -> str:
        shares = np.array(list(table.values()))
        return str(list(table)[self._rng.choice(len(table), p=shares / shares.sum())])

    def _vary(self, colour: Colour, amount: float) -> Colour:
        gain = self._rng.uniform(1 - amount, 1 + amount)
        red, green, blue = np.clip(np.asarray(colour) * gain + self._rng.normal(0, 60 * amount, 3), 8, 245)
        return float(red), float(green), float(blue)

    def _colour(self, *names: str) -> Colour:
        """Return a colour of cloth that differs from the skin."""
        for _ in range(40):
            among = names or (_NEUTRAL if self._rng.random() < self._neutral else tuple(COLOURS))
            colour = self._vary(COLOURS[among[self._rng.integers(len(among))]], 0.13)
            if contrast(colour, self._skin) >= MIN_SKIN_CONTRAST:
                return colour
        return COLOURS["navy"] if contrast(COLOURS["navy"], self._skin) >= MIN_SKIN_CONTRAST else COLOURS["white"]

    def _fabric(self, patterns: dict[str, float], *names: str) -> Fabric:
        scale = float(self._rng.uniform(0.7, 1.6))
        return Fabric(self._pick(patterns), self._colour(*names), self._colour(), scale)

    def _top(self) -> Top:
        rng = self._rng
        kind = self._pick({"tee": 0.2, "shirt": 0.17, "hoodie": 0.16, "jacket": 0.21, "coat": 0.1, "sweater": 0.16})
        rich = {"plain": 0.5, "stripes": 0.12, "check": 0.05, "plaid": 0.1, "block": 0.08, "band": 0.07}
        rich |= {"yoke": 0.05, "pinstripes": 0.03}
        calm = {"plain": 0.8, "block": 0.1, "yoke": 0.1}
        plain = {"plain": 1.0}
        logo = self._colour() if rng.random() < 0.5 else None
        opened = self._colour() if rng.random() < 0.5 else None
        if kind == "tee":
            sleeve = float(rng.uniform(0.45, 0.75))
            back = rng.random() < 0.3
            return Top(kind, self._fabric(rich), sleeve, 0.12, 0.012, logo=logo, logo_on_back=back)
        if kind == "hoodie":
            fabric = self._fabric(calm)
            hood = rng.random() < 0.15
            back = rng.random() < 0.4
            return Top(kind, fabric, 2.0, 0.10, 0.026, 0.03, 0.2, True, hood=hood, logo=logo, logo_on_back=back)
        if kind == "jacket":
            return Top(kind, self._fabric(calm), 2.0, 0.04, 0.030, 0.05, zip_line=True, open_on=opened)
        if kind == "coat":
            return Top(kind, self._fabric(plain), 2.0, -0.02, 0.034, 0.06, open_on=opened)
        if kind == "sweater":
            return Top(kind, self._fabric(rich), 2.0, 0.12, 0.020, vneck=0.3)
        return Top(kind, self._fabric(rich), float(rng.choice([0.9, 2.0])), 0.12, 0.014)

    def _outfit(self, female: bool) -> Outfit:
        rng, top = self._rng, self._top()
        lower = {"jeans": 0.40, "trousers": 0.36, "shorts": 0.13}
        kind = self._pick(lower | ({"skirt": 0.13, "dress": 0.11} if female else {}))
        patterns = {"plain": 0.88, "check": 0.06, "pinstripes": 0.06}
        ease_m, flare = float(rng.uniform(0.010, 0.024)), float(rng.uniform(0, 1.0))
        belt = COLOURS["black"] if rng.random() < 0.4 else None
        fabric = self._fabric(patterns, *(["denim"] if kind == "jeans" and rng.random() < 0.6 else _LOWER))
        skirt = None
        if kind == "shorts":
            bottom = Bottom(kind, fabric, float(rng.uniform(0.75, 1.05)), 0.022, flare, belt)
        elif kind in ("skirt", "dress"):
            bottom = Bottom("tights", self._fabric({"plain": 1.0}, "black", "navy", "charcoal", "maroon"), 2.0, 0.002)
            cloth = self._fabric({"plain": 0.55, "stripes": 0.15, "dots": 0.15, "check": 0.15})
            cloth = top.fabric if kind == "dress" else cloth
            length_m, flared = float(rng.uniform(0.30, 0.75)), float(rng.uniform(0.05, 0.2))
            skirt = Skirt(cloth, length_m, 0.14 if kind == "dress" else 0.12, flared, 0.014)
        else:
            bottom = Bottom(kind, fabric, 1.99, ease_m, flare, belt)
        if top.kind == "coat":
            tails_m = float(rng.uniform(0.28, 0.6))
            skirt = Skirt(top.fabric, tails_m, 0.10, 0.12, 0.032, open_front=top.open_on is not None)
        bag = None
        if rng.random() < 0.45:
            carried = self._pick({"backpack": 0.5, "shoulder": 0.3, "hand": 0.2})
            bag = Bag(carried, self._colour(), self._colour(), int(rng.choice([-1, 1])), float(rng.uniform(0.8, 1.15)))
        hat = None
        if rng.random() < 0.22 and not top.hood:
            hat = Hat(self._pick({"cap": 0.5, "beanie": 0.35, "brim": 0.15}), self._colour())
        return Outfit(
            top=top,
            bottom=bottom,
            skirt=skirt,
            shoes=self._colour("black", "white", "brown", "grey", "red", "navy"),
            soles=self._vary(COLOURS[str(rng.choice(["white", "black", "brown"]))], 0.1),
            bag=bag,
            hat=hat,
            gloves=top.kind in ("coat", "jacket") and rng.random() < 0.2,
        )

    def _changed(self, usual: Outfit) -> Outfit:
        """Return the outfit with other outerwear: the top, and what belongs to it."""
        other = self._outfit(False)
        while other.top.kind == usual.top.kind and contrast(other.top.fabric.colour, usual.top.fabric.colour) < 30:
            other = self._outfit(False)
        tails = other.skirt if other.top.kind == "coat" else None
        own = usual.skirt if usual.top.kind != "coat" else None
        return replace(usual, top=other.top, skirt=tails or own, hat=other.hat, gloves=other.gloves)

    def _hair(self, female: bool, tone: int, age_years: float) -> Hair:
        rng = self._rng
        styles = {"long": 0.34, "bob": 0.2, "bun": 0.12, "pony": 0.18, "short": 0.16}
        style = self._pick(styles if female else {"short": 0.78, "bald": 0.12, "bob": 0.05, "afro": 0.05})
        natural = _HAIRS[int(rng.integers(2 if tone >= 3 else len(_HAIRS)))]
        grey = float(np.clip((age_years - 42) / 28, 0, 1)) * rng.random() ** 0.5
        mixed = np.asarray(natural) * (1 - grey) + np.asarray(_GREY) * grey
        return Hair(
            style=style,
            colour=(float(mixed[0]), float(mixed[1]), float(mixed[2])),
            volume_m=0.0 if style == "bald" else float(rng.uniform(0.010, 0.026)),
            recede_m=float(rng.uniform(0, 0.03)),
            beard=not female and rng.random() < 0.35,
        )

    def _gait(self, outfit: Outfit) -> Gait:
        rng = self._rng
        raised = str(rng.choice(["L", "R"])) if rng.random() < 0.12 else ""
        if outfit.bag and outfit.bag.kind == "hand":
            raised = ""
        return Gait(
            step=float(rng.uniform(0.80, 1.12)),
            arms=float(rng.uniform(8, 30)),
            spread=float(rng.uniform(0.06, 0.16)),
            elbow=float(rng.uniform(8, 32)),
            lean=float(rng.uniform(0, 6)),
            slouch=float(rng.uniform(-3, 14)),
            width=float(rng.uniform(0, 0.05)),
            toe_out=float(rng.uniform(0.02, 0.24)),
            bounce=float(rng.uniform(0.5, 1.7)),
            raised_arm=raised,
        )
