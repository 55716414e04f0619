"""How embedders tell people apart: one table for each footage, real and rendered, with intervals over people.

    python -m models.training score-reid embedder=passerby,omz_0288
    python -m models.training score-reid embedder=passerby site=pets_halves,demo data=/a/rendered held_out=0.1
    python -m models.training score-reid embedder=passerby embedder.weights=/a/candidate.onnx data=/a/rendered

Any embedder with a YAML can be named. ``pets`` is the protocol of ``score-pets``. ``site`` are choices of
``configs/site`` with a truth whose numbers are the same in all cameras: yours, for whatever footage you hold. Each crop
is looked for among those of all other cameras. Columns: mAP, between what it lies in 95 % of the samples that other
people would be, the same of the lead over the embedder that is named first, rank 1, queries and people. Other
``key=value`` go to the configuration.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.candidates import Figures, print_rows, read_candidates, read_options
from models.training.scoring import score_pets
from models.training.scoring.pets import read_half_crops
from models.training.scoring.score_worlds import embed_crops, name_crops
from models.training.scoring.single_crops import Searches, histogram_vectors, search_across_cameras
from models.training.scoring.site_crops import read_site_crops
from models.training.scoring.world_people import TrueCrop, read_true_crops
from models.training.worlds import split_worlds
from pipeline.config.composition import load_config
from pipeline.core import Embedder
from pipeline.core.errors import ConfigError

_COLUMNS = ("mAP", "from", "to", "lead from", "to", "rank 1", "queries", "people")


@dataclass
class Options:
    """What is scored on, as ``key=value``.

    Attributes:
        pets: Whether to score on PETS 2009.
        site: Choices of ``configs/site``, with commas between.
        data: Folder of rendered worlds, the one that has ``worlds/``; empty for none.
        held_out: Part of the worlds, the last ones, as in training; 0: all.
        max_crops: Of each site and of the worlds.
    """

    pets: bool = True
    site: str = ""
    data: str = ""
    held_out: float = 0.1
    max_crops: int = 1500


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """People to be told apart.

    Attributes:
        name: In the heading.
        embed: Returns a vector a crop, ``(N, D)``, L2 norm 1.
        histograms: The same of colours alone.
        search: Looks for people by their vectors.
    """

    name: str
    embed: Callable[[Embedder], NDArray[np.float32]]
    histograms: NDArray[np.float32]
    search: Callable[[NDArray[np.float32]], Searches]


def find_footage(options: Options) -> Iterator[Footage]:
    """Yield the footage that a command line names.

    Raises:
        ConfigError: If there is none, or it is absent.
        DataError: If a truth or a world is damaged.
    """
    sites = [name for name in options.site.split(",") if name]
    if not (options.pets or sites or options.data):
        raise ConfigError("pets, site, data: expected at least one of them, got none; name one")
    if options.max_crops < 1:
        raise ConfigError(f"max_crops: expected at least 1, got {options.max_crops}")
    if options.pets:
        yield _pets()
    for name in sites:
        yield _of_crops(name, read_site_crops(load_config([f"site={name}"]), max_crops=options.max_crops))
    if options.data:
        training, held_out = split_worlds(Path(options.data), held_out=options.held_out)
        worlds = held_out or training
        crops = read_true_crops(worlds, min_visibility=0.6, min_height_px=48, max_crops=options.max_crops, seed=0)
        yield _of_crops(f"{len(worlds)} rendered worlds", crops)


def main(arguments: Sequence[str]) -> None:
    """Print a table for each footage."""
    options, others = read_options(arguments, Options)
    candidates = read_candidates(others, ("embedder",))
    for footage in find_footage(options):
        found = candidates.score("embedder", partial(_search, footage), site="empty")
        first = next(iter(found.values()))
        found["colour histogram"] = footage.search(footage.histograms)
        print_rows(_COLUMNS, {name: _figures(its, first) for name, its in found.items()}, title=footage.name)


def _pets() -> Footage:
    at = score_pets.locate_footage([])
    people = read_half_crops(at.video, at.truth)
    return Footage(
        "PETS 2009",
        lambda embedder: score_pets.embed_crops(embedder, people),
        histogram_vectors(people.crops),
        lambda vectors: score_pets.search(vectors, people),
    )


def _of_crops(name: str, crops: Sequence[TrueCrop]) -> Footage:
    people, outfits, cameras = np.ascontiguousarray(name_crops(crops).T)
    return Footage(
        name,
        lambda embedder: embed_crops(embedder, crops),
        histogram_vectors([crop.image for crop in crops]),
        lambda vectors: search_across_cameras(vectors, people, cameras, outfits=outfits),
    )


def _search(footage: Footage, embedder: Embedder) -> Searches:
    return footage.search(footage.embed(embedder))


def _figures(found: Searches, first: Searches) -> Figures:
    num_people = len(np.unique(found.person_ids))
    lead = found.lead_over(first)
    return found.mean_ap, *found.interval(), *lead.interval(), found.rank1, len(found.person_ids), num_people
