"""The data sets by name."""

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
    if protocol is not None:
        raise ConfigError(f"protocol: expected none for {dataset}, got {protocol!r}; leave it out")
    if dataset in ("ilids", "prid"):
        load = partial(load_ilids, root) if dataset == "ilids" else partial(load_prid, root)
        return [load(split=split) for split in range(NUM_SPLITS)]
    if dataset == "duke":
        return [load_duke(root)]
    raise ConfigError(f"dataset: expected mars, lsvid, duke, ilids or prid, got {dataset!r}")
