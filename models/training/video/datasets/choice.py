"""The data sets by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from models.training.video.datasets.benchmark import Benchmark
from models.training.video.datasets.duke import load_duke
from models.training.video.datasets.lsvid import load_lsvid
from models.training.video.datasets.mars import load_mars
from models.training.video.datasets.pairs import NUM_SPLITS, load_ilids, load_prid
from pipeline.core.errors import ConfigError


def load_benchmarks(dataset: str, root: Path, protocol: str | None) -> list[Benchmark]:
    """Return a data set under each of its protocols, or under one; or its ten splits.

    Raises:
        ConfigError: If there is no such data set or protocol, or it is not on disk.
        DataError: If it is damaged.
    """
    loaders = {"mars": load_mars, "lsvid": load_lsvid}
    if dataset in loaders:
        return [loaders[dataset](root, protocol=one) for one in ([protocol] if protocol else ("usual", "mixing"))]
    halves: dict[str, dict[str | None, Callable[..., Benchmark]]] = {
        "ilids": {None: load_ilids, "first_half_trains": partial(load_ilids, first_half="train")},
        "prid": {
            None: load_prid,
            "many_frames": partial(load_prid, has_file=False),
            "first_200": partial(load_prid, has_file=False, min_frames=0),
        },
    }
    words = [word for word in halves.get(dataset, ()) if word is not None]
    if protocol is not None and protocol not in words:
        raise ConfigError(
            f"protocol: expected {' or '.join([*words, 'none'])} for {dataset}, got {protocol!r}; leave it out"
        )
    if dataset in halves:
        return [halves[dataset][protocol](root, split=split) for split in range(NUM_SPLITS)]
    if dataset == "duke":
        return [load_duke(root)]
    raise ConfigError(f"dataset: expected mars, lsvid, duke, ilids or prid, got {dataset!r}")
