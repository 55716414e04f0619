"""Embedders side by side: how well they find people again by tracklets, and what that costs.

    make compare ARGS='data=/a/rendered embedder=lstrl_light,ctl_light,passerby weights=/a/{name}.safetensors'
    python -m models.training compare pets=true embedder=lstrl_light,passerby weights=/a/{name}.safetensors
    python -m models.training compare mars=/a/mars embedder=lstrl,stca weights=/a/{name}.safetensors pose=

Every mAP has its 95 % interval over people. ``weights`` are those of video networks, with ``{name}`` for each; others
take theirs from ``configs/``. All embedders get the same crops, which are read anew for each: no data set is held in
memory. A person who is in no other camera is not a query. ``Options`` lists the other keys; further ``key=value`` are
passed on to the configuration. The command writes ``table.md``, ``plot.svg`` (accuracy against cost) and, if
``pictures`` names an embedder, ``retrievals.jpg`` and ``attention.jpg`` into ``out``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from omegaconf import MISSING
from rich.console import Console
from rich.markdown import Markdown

from models.reid.checkpoint import load_network
from models.reid.clips import clip_scheme
from models.reid.video import RANDOM, VideoEmbedder
from models.training.candidates import read_options
from models.training.comparison.attention import attention_maps, draw_rows
from models.training.comparison.costs import measure
from models.training.comparison.plot import Point, plot
from models.training.comparison.scores import Found, find
from models.training.comparison.table import Row, baseline_among, write_table
from models.training.comparison.tracklets import HalfTracklets, KnownTracklets, with_pose
from models.training.figures.card_figures import picture_answers
from models.training.figures.image_grid import PAPER, join, write_jpeg
from models.training.pictures import Image
from models.training.scoring.pets import read_half_crops
from models.training.scoring.score_pets import locate_footage
from models.training.video.datasets.choice import load_benchmarks
from models.training.video.scoring import NetworkInput
from models.training.video.sources import FileTracklets, WorldTracklets
from models.training.video.task import read_estimator
from models.training.worlds import split_worlds
from pipeline.config.composition import load_config
from pipeline.config.plugins import attribute, build
from pipeline.core import Embedder, PoseEstimator, Tracklet
from pipeline.core.errors import ConfigError
from pipeline.evaluation.retrieval import LabelledVectors

_MIN_VISIBLE = 0.4
_BENCHMARKS = ("mars", "lsvid", "duke", "ilids", "prid")
_RENDERED = "rendered people, held out"
_COLUMNS, _MAX_BYTES = 3, 130_000
_LOOKED_AT = 500
"""Tracklets among which the one with the most detail is chosen for the picture."""
Make = Callable[[], Embedder]


@dataclass
class Options:
    """What is compared, as ``key=value``.

    Attributes:
        embedder: Choices of ``configs/embedder``, with commas between.
        weights: Of networks of clips; ``{name}`` stands for the choice.
        data: Folder that has ``worlds/``, of rendered people; empty for none.
        held_out: Part of the worlds, the last ones, that the networks did not learn from.
        pets: Whether to look for people in the other half of real footage, too, by tracklets and by single crops.
        mars: Folder of the data set; empty for none. The same of the next.
        lsvid: As above.
        duke: As above.
        ilids: As above.
        prid: As above.
        pose: A choice of ``configs/pose`` for what says nothing of the pose; empty for none.
        crops: Of a tracklet at most.
        costs: Whether to measure time and memory.
        pictures: An embedder whose answers are shown, and where networks look; empty for none.
        out: Folder for what is written.
    """

    embedder: str = MISSING
    weights: str = RANDOM
    data: str = ""
    held_out: float = 0.1
    pets: bool = False
    mars: str = ""
    lsvid: str = ""
    duke: str = ""
    ilids: str = ""
    prid: str = ""
    pose: str = "passerby"
    crops: int = 8
    costs: bool = True
    pictures: str = ""
    out: str = "outputs/comparison"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Queries and gallery of one data set."""

    name: str
    queries: KnownTracklets
    gallery: KnownTracklets


def read_datasets(options: Options, crop_hw: tuple[int, int]) -> Iterator[Dataset]:
    """Yield what there is to compare on, with crops of a size.

    Raises:
        ConfigError: If there is nothing.
        DataError: If something is damaged.
    """
    if options.data:
        _, worlds = split_worlds(Path(options.data), held_out=options.held_out)
        rendered = WorldTracklets(worlds, crop_hw=crop_hw, min_visible=_MIN_VISIBLE, max_bytes=0)
        known = KnownTracklets(rendered, num_crops=options.crops)
        yield Dataset(_RENDERED, known, known)
    if options.pets:
        footage = locate_footage([])
        people = read_half_crops(footage.video, footage.truth)
        for name, length in (("PETS 2009, halves", options.crops), ("PETS 2009, single crops", 1)):
            source = HalfTracklets(people, crop_hw=crop_hw, num_crops=length)
            known = KnownTracklets(source, num_crops=length)
            yield Dataset(name, known, known)
    for name in _BENCHMARKS:
        root = getattr(options, name)
        for benchmark in load_benchmarks(name, Path(root), None) if root else ():
            queries, gallery = (
                KnownTracklets(FileTracklets(part, crop_hw=crop_hw), num_crops=options.crops)
                for part in (benchmark.query, benchmark.gallery)
            )
            yield Dataset(benchmark.protocol, queries, gallery)


def make_embedder(name: str, options: Options, overrides: list[str]) -> Make:
    """Return the factory of an embedder.

    Raises:
        ConfigError: If there is none of that name.
        WeightsError: If its weights are absent or of another network.
    """
    chosen = ["site=empty", f"embedder={name}", *overrides]
    config = load_config([*chosen, f"embedder.weights={options.weights.replace('{name}', name)}"])
    if config.embedder["_target_"] != f"{VideoEmbedder.__module__}.{VideoEmbedder.__name__}":
        config = load_config(chosen)
    return build(config.embedder, "embedder")


def is_of_clips(make: Make) -> bool:
    """Return whether a factory is of a network of clips with weights."""
    return isinstance(make, partial) and make.func is VideoEmbedder and attribute(make, "weights") != RANDOM


def score(embedder: Embedder, dataset: Dataset, estimator: PoseEstimator | None) -> Found:
    """Return what an embedder makes of a data set.

    Raises:
        ConfigError: If it needs a pose that is not known, and there is no estimator.
    """
    queries, gallery = dataset.queries, dataset.gallery
    asked = LabelledVectors(queries.embed(embedder, estimator), queries.people, queries.cameras)
    if gallery is queries:
        return find(asked, asked)
    return find(asked, LabelledVectors(gallery.embed(embedder, estimator), gallery.people, gallery.cameras))


def main(arguments: list[str]) -> None:
    """Compare, write, and print the table."""
    options, overrides = read_options(arguments, Options)
    if not (options.data or options.pets or any(getattr(options, name) for name in _BENCHMARKS)):
        raise ConfigError(f"data, pets, {', '.join(_BENCHMARKS)}: expected at least one of them, got none; name one")
    names = [name for name in options.embedder.split(",") if name]
    factories = {name: make_embedder(name, options, overrides) for name in names}
    estimator = None
    if options.pose:
        estimator = read_estimator(options.pose, [given for given in overrides if not given.startswith("embedder.")])()
    datasets: dict[tuple[int, int], list[Dataset]] = {}
    rows = {}
    for name, make in factories.items():
        embedder = make()
        size_hw = embedder.crop_size_hw
        if size_hw not in datasets:
            datasets[size_hw] = list(read_datasets(options, size_hw))
        found = {dataset.name: score(embedder, dataset, estimator) for dataset in datasets[size_hw]}
        longest = _longest(datasets[size_hw][0].queries)
        cost = measure(make, with_pose(longest, embedder, estimator)) if options.costs else None
        rows[name] = Row(found, cost)
    kinds = [dataset.name for dataset in next(iter(datasets.values()))]
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    table = write_table(rows, kinds)
    (out / "table.md").write_text(table, encoding="utf-8")
    if drawing := draw(rows, kinds[0]):
        (out / "plot.svg").write_text(drawing, encoding="utf-8")
    if options.pictures:
        known = next(iter(datasets.values()))[0].queries
        sheet = picture_retrievals(factories[options.pictures](), known, estimator, seed=0)
        write_jpeg(out / "retrievals.jpg", sheet, max_bytes=_MAX_BYTES)
        clearest = _clearest(known)
        if estimator is not None and clearest.keypoints is None:
            (clearest,) = estimator.estimate([clearest])
        looking = {name: make for name, make in factories.items() if is_of_clips(make)}
        write_jpeg(out / "attention.jpg", picture_attention(looking, clearest), max_bytes=_MAX_BYTES)
    Console().print(Markdown(table))


def picture_retrievals(
    embedder: Embedder, known: KnownTracklets, estimator: PoseEstimator | None, *, seed: int
) -> Image:
    """Return people and the five tracklets of other cameras that are most alike; each by its middle crop.

    Raises:
        DataError: If no person is seen by two cameras.
    """
    names = np.stack([known.people, np.zeros_like(known.people), known.cameras], axis=1)
    shown = [(tracklet := known[row]).crops[len(tracklet) // 2] for row in range(len(known))]
    return picture_answers(known.embed(embedder, estimator), names, shown, seed=seed)


def picture_attention(factories: Mapping[str, Make], tracklet: Tracklet) -> Image:
    """Return where networks of clips look in one tracklet, one below the other in three columns."""
    rows: list[Image] = []
    for name, make in factories.items():
        settings = NetworkInput.of(make)
        network = settings.make(0)
        load_network(Path(attribute(make, "weights")), network)
        indices = clip_scheme(settings.scheme)(len(tracklet), settings.clip_len)[0]
        images = tracklet.crops[indices]
        pose = (
            np.zeros((len(indices), 17, 3), np.float32) if tracklet.keypoints is None else tracklet.keypoints[indices]
        )
        clips = settings.clips(torch.from_numpy(images)[None], torch.from_numpy(pose)[None])
        if maps := attention_maps(network.eval(), clips):
            rows += draw_rows(images, maps, title=name)
    height = -(-len(rows) // _COLUMNS)
    rows += [np.full_like(rows[0], PAPER)] * (height * _COLUMNS - len(rows))
    return join([rows[column * height + row] for row in range(height) for column in range(_COLUMNS)], columns=_COLUMNS)


def draw(rows: Mapping[str, Row], dataset: str) -> str | None:
    """Return the plot of accuracy against operations; None if no operations are known."""
    baseline = baseline_among(rows)
    points = [
        Point(name, row.cost.gmacs_per_frame, 100 * row.found[dataset].plain.mean_ap, is_other=name == baseline)
        for name, row in rows.items()
        if row.cost is not None and row.cost.gmacs_per_frame is not None
    ]
    return plot(points, x_label="GMAC a crop", y_label=f"mAP in %, {dataset}") if points else None


def _longest(known: KnownTracklets) -> Tracklet:
    return known[int(known.lengths.argmax())]


def _clearest(known: KnownTracklets) -> Tracklet:
    """Return the tracklet with the most detail, of the longest."""
    longest = np.flatnonzero(known.lengths == known.lengths.max())[:_LOOKED_AT]

    def detail(row: int) -> float:
        return min(float(cv2.Laplacian(crop, cv2.CV_32F).var()) for crop in known[row].crops)

    return known[max(longest.tolist(), key=detail)]
