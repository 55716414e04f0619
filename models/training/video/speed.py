"""How fast networks of clips are here, plain and with what makes them faster.

    python -m models.training speed models=lstrl_light,stca_light,rapa_light
    python -m models.training speed models=lstrl,stca device=cuda batch=32

Milliseconds a tracklet of one clip, the best of several runs in turn; ``onnxruntime`` is of one clip a call, on the
processor. There it is processor time over threads, so that other work on the machine counts little. Weights are random:
they do not matter. ``of peak`` is the part of the speed of a large product of matrices in the same numbers, measured
in turn with them, that the fastest variant's convolutions and linear layers reach.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import torch
from omegaconf import MISSING
from onnx import TensorProto, helper
from torch import Tensor, nn

from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.reid.networks.clip_network import prefer_channels_last
from models.summary import read_embedder, summarise
from models.training.candidates import print_rows, read_options
from models.training.video.export import VectorOfClip, example_of, write_onnx
from models.training.video.scoring import NetworkInput
from pipeline.core.errors import ConfigError

_PRODUCT = {"cpu": 512, "cuda": 8192}
_OPSET, _IR = 18, 9
_GIGA = 1e9


@dataclass
class Options:
    """What is measured, as ``key=value``.

    Attributes:
        models: Choices of ``configs/embedder`` that are networks of clips, with commas between.
        device: cpu or cuda.
        batch: Tracklets at once.
        threads: Processor threads.
        runs: Of each variant.
        compiled: Also measure torch.compile, which takes minutes a network to get ready, and on a processor needs g++.
    """

    models: str = MISSING
    device: str = "cpu"
    batch: int = 1
    threads: int = 1
    runs: int = 7
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of computing a network.

    Attributes:
        run: Computes it.
        num_tracklets: That one run takes.
        dtype: Of the products.
    """

    run: Callable[[], object]
    num_tracklets: int
    dtype: torch.dtype


def variants_of(
    network: nn.Module, settings: NetworkInput, *, device: str, batch: int, folder: Path, compiled: bool = False
) -> dict[str, Variant]:
    """Return the variants that there are on this machine, by name.

    Args:
        network: In evaluation mode, on the processor.
        settings: Of its input.
        device: cpu or cuda.
        batch: Tracklets at once.
        folder: For the exported network.
        compiled: With that of torch.compile.

    Raises:
        WeightsError: If onnxruntime computes something else.
    """
    example = example_of(network, 0, settings.clip_len, settings.crop_hw)
    inputs = tuple(value.expand(batch, *value.shape[1:]).contiguous().to(device) for value in example)
    variants: dict[str, Variant] = {}
    if device == "cpu":
        path = folder / "network.onnx"
        write_onnx(network, path, clip_len=settings.clip_len, crop_hw=settings.crop_hw)
        exported = OnnxRuntimeNetwork(path, device="cpu", threads=torch.get_num_threads())
        arrays = [value.numpy() for value in example]
        variants["onnxruntime"] = Variant(lambda: exported.run(*arrays), 1, torch.float32)
    plain = VectorOfClip(network).to(device)
    variants["eager"] = Variant(lambda: plain(*inputs), batch, torch.float32)
    return variants | _faster_variants(plain, inputs, device=device, batch=batch, compiled=compiled)


def _faster_variants(
    plain: nn.Module, inputs: tuple[Tensor, ...], *, device: str, batch: int, compiled: bool
) -> dict[str, Variant]:
    def lay_out() -> nn.Module:
        prefer_channels_last(plain)
        return plain

    def in_bfloat16(run: nn.Module) -> object:
        with torch.autocast(device, torch.bfloat16):
            return run(*inputs)

    variants = {
        "channels last": Variant(lambda: lay_out()(*inputs), batch, torch.float32),
        "bfloat16": Variant(lambda: in_bfloat16(lay_out()), batch, torch.bfloat16),
    }
    if compiled:
        made = torch.compile(plain)
        variants["compiled"] = Variant(lambda: made(*inputs), batch, torch.float32)
    return variants


def measure(variants: Mapping[str, Variant], *, device: str, runs: int) -> dict[str, float]:
    """Return the seconds of one tracklet, by variant: the best of runs in turn, as other work comes and goes."""
    best = dict.fromkeys(variants, math.inf)
    with torch.inference_mode():
        for variant in variants.values():
            variant.run()
        for _ in range(runs):
            for name, variant in variants.items():
                best[name] = min(best[name], _seconds(variant.run, device) / variant.num_tracklets)
    return best


def product(device: str, dtype: torch.dtype, *, folder: Path) -> Variant:
    """Return a large product of matrices, which is as fast as a device can multiply.

    Args:
        device: cpu or cuda.
        dtype: Of the numbers.
        folder: For a network of nothing else: onnxruntime multiplies float32 faster than torch on some processors.
    """
    size = _PRODUCT[device]
    one = torch.randn(size, size, device=device).to(dtype)
    if device != "cpu" or dtype is not torch.float32:
        return Variant(lambda: one @ one, 1, dtype)
    value = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT, shape=[size, size])
    graph = helper.make_graph([helper.make_node("MatMul", ["one", "one"], ["out"])], "", [value("one")], [value("out")])
    path = folder / "product.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR), path)
    product_only = OnnxRuntimeNetwork(path, device="cpu", threads=torch.get_num_threads())
    return Variant(lambda: product_only.run(one.numpy()), 1, dtype)


def _seconds(run: Callable[[], Any], device: str) -> float:
    if device == "cpu":
        started = time.process_time()
        run()
        threads: int = torch.get_num_threads()
        return (time.process_time() - started) / threads
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def main(arguments: list[str]) -> None:
    """Print a row a network.

    Raises:
        ConfigError: If an argument makes no sense, or the device is not there.
    """
    options, rest = read_options(arguments, Options)
    if rest or options.device not in ("cpu", "cuda") or (options.device == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(f"command line: expected models=… and device=cpu or a cuda that is there, got {arguments}")
    if min(options.batch, options.threads, options.runs) < 1:
        raise ConfigError("batch, threads, runs: expected 1 or more, got less")
    torch.set_num_threads(options.threads)
    rows: dict[str, dict[str, float]] = {}
    for name in options.models.split(","):
        settings = NetworkInput.of(read_embedder(name, {}))
        torch.manual_seed(0)
        network = settings.make(0).eval()
        with tempfile.TemporaryDirectory() as folder:
            variants = variants_of(
                network,
                settings,
                device=options.device,
                batch=options.batch,
                folder=Path(folder),
                compiled=options.compiled,
            )
            dtypes = (torch.float32, torch.bfloat16)
            named = {str(dtype): product(options.device, dtype, folder=Path(folder)) for dtype in dtypes}
            seconds = measure(variants | named, device=options.device, runs=options.runs)
        peaks = {name: _PRODUCT[options.device] ** 3 / seconds.pop(name) for name in named}
        fastest = min(seconds, key=seconds.__getitem__)
        summary = summarise(settings.make_network, num_ids=0, clip_len=settings.clip_len, crop_size_hw=settings.crop_hw)
        macs = summary.gmacs_per_frame * settings.clip_len * _GIGA
        part = macs / seconds[fastest] / peaks[str(variants[fastest].dtype)]
        rows[name] = {variant: 1000 * value for variant, value in seconds.items()}
        rows[name] |= {"tracklets/s": 1 / seconds[fastest], "of peak": part}
    headings = list(next(iter(rows.values())))
    print_rows(headings, {name: list(row.values()) for name, row in rows.items()}, title="ms a tracklet")
