"""A synthetic person: body, clothes and gait as plain records."""

from dataclasses import dataclass

Colour = tuple[float, float, float]
"""sRGB, each in [0, 255]."""


@dataclass(frozen=True, slots=True)
class Fabric:
    """Cloth.

    Attributes:
        pattern: plain, stripes, pinstripes, check, plaid, block, band, yoke, camouflage or dots.
        colour: Main colour.
        second: Colour of the pattern.
        scale: Fineness of the pattern; 1 is usual, larger is finer.
    """

    pattern: str
    colour: Colour
    second: Colour
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Top:
    """A garment for trunk and arms.

    Attributes:
        kind: tee, shirt, sweater, hoodie, jacket or coat.
        fabric: Its cloth.
        sleeve: 0 at the shoulder, 1 at the elbow, 2 at the wrist.
        hem: Height of its lower edge: 0 at the hips, 1 at the neck.
        ease_m: Distance from the skin, metres.
        collar: How far it reaches up the neck, in units of ``hem``.
        vneck: Depth of the neckline, 0 to 1.
        zip_line: Whether a dark line runs down the front.
        hood: Whether a hood covers the head.
        open_on: Colour that shows where it is open; None if it is closed.
        logo: Colour of a print on the chest, or None.
        logo_on_back: Whether the print is on the back.
    """

    kind: str
    fabric: Fabric
    sleeve: float
    hem: float
    ease_m: float
    collar: float = 0.0
    vneck: float = 0.6
    zip_line: bool = False
    hood: bool = False
    open_on: Colour | None = None
    logo: Colour | None = None
    logo_on_back: bool = False


@dataclass(frozen=True, slots=True)
class Bottom:
    """A garment for the legs.

    Attributes:
        kind: jeans, trousers, shorts or tights.
        fabric: Its cloth.
        length: 0 at the hip, 1 at the knee, 2 at the ankle.
        ease_m: Distance from the skin, metres.
        flare: How much wider it is at the ankle; 0 to 1.
        belt: Colour, or None.
    """

    kind: str
    fabric: Fabric
    length: float
    ease_m: float
    flare: float = 0.0
    belt: Colour | None = None


@dataclass(frozen=True, slots=True)
class Skirt:
    """Cloth that hangs around both legs: a skirt, the lower half of a dress, the tails of a coat.

    Attributes:
        fabric: Its cloth.
        length_m: Below the hips, metres.
        top_m: Above the hips, metres.
        flare: Widening, metres per metre.
        ease_m: Distance from the skin, metres.
        open_front: Whether it is open in front.
    """

    fabric: Fabric
    length_m: float
    top_m: float
    flare: float
    ease_m: float
    open_front: bool = False


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag.

    Attributes:
        kind: backpack, shoulder or hand.
        colour: Main colour.
        second: Colour of a band on it.
        side: 1 left, -1 right.
        size: 1 is usual.
    """

    kind: str
    colour: Colour
    second: Colour
    side: int
    size: float


@dataclass(frozen=True, slots=True)
class Hat:
    """A hat: cap, beanie or brim."""

    kind: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Outfit:
    """The clothes that a person wears at one time."""

    top: Top
    bottom: Bottom
    skirt: Skirt | None
    shoes: Colour
    soles: Colour
    bag: Bag | None
    hat: Hat | None
    gloves: bool


@dataclass(frozen=True, slots=True)
class Hair:
    """Hair and beard.

    Attributes:
        style: short, long, bob, bun, pony, afro or bald.
        colour: Of both.
        volume_m: Distance from the head, metres.
        recede_m: How far the hairline recedes, metres.
        beard: Whether there is a beard.
    """

    style: str
    colour: Colour
    volume_m: float
    recede_m: float
    beard: bool


@dataclass(frozen=True, slots=True)
class Gait:
    """A person's gait; angles in degrees.

    Attributes:
        step: Swing of the legs, 1 is usual.
        arms: Swing of the arms.
        spread: How far the arms hang from the body, as a slope.
        elbow: How far the elbows are bent.
        lean: Forward, of the whole body.
        slouch: Of the back.
        width: Between the feet, as a slope.
        toe_out: Of the feet.
        bounce: Roll of the hips, 1 is usual.
        raised_arm: ``L``, ``R`` or empty: an arm that is carried bent.
    """

    step: float
    arms: float
    spread: float
    elbow: float
    lean: float
    slouch: float
    width: float
    toe_out: float
    bounce: float
    raised_arm: str


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic person.

    Attributes:
        seed: Seed of the textures of this person.
        female: Whether the body is female.
        age_years: Age of the body.
        height_m: Without shoes and hat, metres.
        weight: 0 slight to 1 heavy.
        body: Row of ``BodyAsset.coefficients``.
        skin: Colour of the skin.
        hair: Hair and beard.
        glasses: Whether the person wears glasses.
        gait: Of the person.
        speed_m_s: Preferred walking speed, metres per second.
        outfits: The first outfit, and the one after a change.
    """

    seed: int
    female: bool
    age_years: float
    height_m: float
    weight: float
    body: int
    skin: Colour
    hair: Hair
    glasses: bool
    gait: Gait
    speed_m_s: float
    outfits: tuple[Outfit, ...]
