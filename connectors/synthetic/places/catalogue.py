"""The places that can be rendered, by name."""

from connectors.synthetic.places.campus import campus
from connectors.synthetic.places.corridor import corridor
from connectors.synthetic.places.place import Place
from connectors.synthetic.places.plaza import plaza
from connectors.synthetic.places.shop import shop
from pipeline.core.errors import ConfigError

_PLACES = {"plaza": plaza, "corridor": corridor, "shop": shop, "campus": campus}


def build_place(name: str, variant: int = 0) -> Place:
    """Return a place.

    Args:
        name: plaza, corridor, shop or campus.
        variant: 0: as written; others differ in colours, objects, light and cameras.

    Raises:
        ConfigError: If there is no such place, or the variant is negative.
    """
    if name not in _PLACES:
        raise ConfigError(f"place: expected one of {', '.join(_PLACES)}, got {name!r}; name one of these")
    return _PLACES[name](variant)
