"""How well trained weights find people again on a benchmark; the protocol is printed with every figure.

    python -m models.training score-benchmark model=lstrl weights=/a/lstrl.safetensors dataset=mars root=/a/mars
    python -m models.training score-benchmark model=stca_light weights=… dataset=ilids root=/a/ilids-vid
    python -m models.training score-benchmark … dataset=lsvid root=/a/LS-VID protocol=usual rerank=true
    python -m models.training score-benchmark model=ctl weights=… dataset=mars root=/a/mars pose=passerby

``dataset`` is mars, lsvid (protocol usual or mixing; both if none is said), duke, ilids (protocol first_half_trains
swaps the halves) or prid (protocol first_200 takes the 200 people of both cameras, many_frames those 178 with more than
27 frames, as without a split file). The last two have ten splits, mean and standard deviation; ``{split}`` in
``weights`` becomes the number of each. Weights that were trained on another data
set give the cross-data-set figure. ``metric`` (cosine or euclidean) compares otherwise than the paper does.
``skip_damaged=true`` does without damaged pictures. Other keys change the model's settings, as in ``models.summary``.

Data sets hold no keypoints. ``pose``, a choice of ``configs/pose``, finds those that RAPA and CTL need, on every crop;
with ``network.pe=false`` (thirds of the map) RAPA does without.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING

from models.reid.checkpoint import load_network
from models.summary import read_embedder
from models.training.candidates import read_options
from models.training.video.datasets.benchmark import Benchmark, TrackletFiles, labels_of
from models.training.video.datasets.choice import load_benchmarks
from models.training.video.datasets.pairs import NUM_SPLITS
from models.training.video.reranking import rerank
from models.training.video.scoring import NetworkInput, distances_between, embed_tracklets
from models.training.video.sources import ClipSource, FileTracklets, PosedClips
from models.training.video.task import read_estimator
from pipeline.core import PoseEstimator, PoseNeed
from pipeline.core.errors import ConfigError
from pipeline.evaluation.retrieval import LabelledVectors, RetrievalScore, score_distances

_RANKS = (1, 5, 10, 20)
_ALL = 10**9
"""Clips per tracklet: all. Papers embed whole tracklets; the pipeline takes a few clips."""


@dataclass
class Options:
    """What is evaluated, as ``key=value`` and as the module says.

    Attributes:
        model: A choice of ``configs/embedder``.
        weights: Of it.
        dataset: Its name.
        root: Its folder.
        protocol: One of its protocols; None for all.
        metric: cosine or euclidean; None for the network's own.
        rerank: Also re-ranked.
        device: cpu or cuda; None for cuda where there is one.
        skip_damaged: Do without damaged pictures.
        pose: A choice of ``configs/pose``; None for none.
    """

    model: str = MISSING
    weights: str = MISSING
    dataset: str = MISSING
    root: str = MISSING
    protocol: str | None = None
    metric: str | None = None
    rerank: bool = False
    device: str | None = None
    skip_damaged: bool = False
    pose: str | None = None


def evaluate(
    benchmark: Benchmark,
    settings: NetworkInput,
    weights: Path,
    *,
    device: torch.device,
    metric: str | None,
    is_reranked: bool,
    skip_damaged: bool = False,
    make_estimator: Callable[[], PoseEstimator] | None = None,
) -> list[dict[str, Any]]:
    """Return the figures of weights on a benchmark, in percent, with their protocol; re-ranked ones in a second row.

    Raises:
        ConfigError: If the network needs keypoints, and there is no estimator.
        DataError: If a picture is damaged, or no query has a match.
        WeightsError: If the weights are absent or of another network.
    """
    network = settings.make(0)
    needs = PoseNeed.NOTHING if not getattr(network, "pe", True) else network.needs
    if needs is PoseNeed.NOTHING:
        make_estimator = None
    elif make_estimator is None:
        raise ConfigError(
            f"pose: expected one, as {type(network).__name__} needs {needs} and data sets have none, got none; "
            "set pose=passerby"
        )
    if metric not in (None, "cosine", "euclidean"):
        raise ConfigError(f"metric: expected cosine or euclidean, got {metric!r}")
    network.distance = metric or network.distance
    load_network(weights, network)
    network = network.eval().to(device)

    def embed(tracklets: Sequence[TrackletFiles]) -> torch.Tensor:
        source: ClipSource = FileTracklets(tracklets, crop_hw=settings.crop_hw, skip_damaged=skip_damaged)
        source = PosedClips(source, make_estimator) if make_estimator else source
        return embed_tracklets(network, source, settings, device)

    queries, gallery = embed(benchmark.query), embed(benchmark.gallery)
    labelled = [
        LabelledVectors(vectors.cpu().numpy(), *labels_of(tracklets))
        for vectors, tracklets in ((queries, benchmark.query), (gallery, benchmark.gallery))
    ]
    distances = distances_between(queries, gallery)
    found = {"protocol": benchmark.protocol, "metric": network.distance, "rerank": False}
    rows = [found | _figures(score_distances(distances, *labelled), len(queries))]
    if is_reranked:
        mixed = rerank(distances, distances_between(queries, queries), distances_between(gallery, gallery))
        rows.append(found | {"rerank": True} | _figures(score_distances(mixed, *labelled), len(queries)))
    return rows


def _figures(score: RetrievalScore, num_queries: int) -> dict[str, float]:
    ranks = {f"rank{rank}": 100 * float(score.cmc[rank - 1]) for rank in _RANKS}
    counts = {"queries": score.num_queries, "queries_without_answer": num_queries - score.num_queries}
    return ranks | {"mean_ap": 100 * score.mean_ap} | counts


def summarise_splits(name: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean and the standard deviation of splits, plain and re-ranked."""
    summaries = []
    for is_reranked in sorted({row["rerank"] for row in rows}):
        chosen = [row for row in rows if row["rerank"] is is_reranked]
        keys = [f"rank{rank}" for rank in _RANKS]
        summary: dict[str, Any] = {"protocol": f"{name}: mean of {len(chosen)} splits", "rerank": is_reranked}
        for key in keys:
            values = [row[key] for row in chosen]
            summary |= {key: float(np.mean(values)), f"{key}_std": float(np.std(values))}
        summaries.append(summary)
    return summaries


def main(arguments: Sequence[str]) -> None:
    """Print a JSON object a protocol.

    Raises:
        ConfigError: If the command line makes no sense.
    """
    options, rest = read_options(arguments, Options)
    changes = {"max_clips": str(_ALL)} | dict(argument.split("=", 1) for argument in rest)
    settings = NetworkInput.of(read_embedder(options.model, changes))
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    benchmarks = load_benchmarks(options.dataset, Path(options.root), options.protocol)
    rows = []
    for split, benchmark in enumerate(benchmarks):
        rows += evaluate(
            benchmark,
            settings,
            Path(options.weights.replace("{split}", str(split))),
            device=device,
            metric=options.metric,
            is_reranked=options.rerank,
            skip_damaged=options.skip_damaged,
            make_estimator=read_estimator(options.pose) if options.pose else None,
        )
    for row in rows if len(benchmarks) != NUM_SPLITS else summarise_splits(benchmarks[0].name, rows):
        print(json.dumps(row))
