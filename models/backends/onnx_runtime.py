"""Networks in ONNX Runtime. This is the only module that imports it: one device, explicit threads, no telemetry."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np

from models.backends.import_settings import import_settings
from models.backends.network import Array, Port
from models.backends.network_file import NetworkFile
from models.backends.pixels import PixelScaling
from models.weights.store import locate_weights
from pipeline.core.errors import ConfigError, WeightsError

# ONNX Runtime reports the machine to its maker when it is imported, unless this is set.
with import_settings(os.environ, ORT_DISABLE_TELEMETRY="1"):
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# Without these a GPU times its algorithms again in each process, and rounds products to 10 bits.
_OPTIONS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}}
_DTYPES = {"float": "float32", "double": "float64"}
_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class OnnxRuntimeNetwork:
    """A network of an ``.onnx`` file. Implements ``models.backends.network.Network``.

    Args:
        path: The ``.onnx`` file.
        device: cpu or cuda.
        threads: Processor threads, at least 1.

    Raises:
        ConfigError: If ONNX Runtime cannot use the device, or ``threads`` is below 1.
        WeightsError: If ONNX Runtime cannot run the file.
    """

    def __init__(self, path: Path, *, device: str, threads: int) -> None:
        check_device(device)
        if threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        self.path, self.device, self.threads = path, device, threads
        self._session = _open(path, device=device, threads=threads)
        self.inputs = tuple(_port(value) for value in self._session.get_inputs())
        self.outputs = tuple(_port(value) for value in self._session.get_outputs())
        self.calls: Counter[int] = Counter()
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        """What the exporter wrote into the file."""

    @classmethod
    def load(cls, **file: Unpack[NetworkFile]) -> Self:
        """Return the network of a file; errors as ``locate_weights`` and the constructor."""
        path = locate_weights(file["weights"], weights_dir=file["weights_dir"], sha256=file["sha256"])
        return cls(path, device=file["device"], threads=file["threads"])

    def run(self, *inputs: Array) -> list[Array]:
        """Return the outputs, in order, for the inputs, in order."""
        number = len(inputs[0])
        self.calls[number] += 1
        if self.device == "cuda" and self.inputs[0].shape[0] is None:
            inputs = tuple(pad(array) for array in inputs)
        feed = {port.name: array for port, array in zip(self.inputs, inputs, strict=True)}
        outputs: list[Array] = self._session.run(None, feed)
        return [output[:number] for output in outputs] if len(inputs[0]) > number else outputs


def pad(array: Array) -> Array:
    """Return an array with its last row repeated up to the next power of 2: a GPU prepares itself for each new shape.

    Example:
        >>> pad(np.array([1, 2, 3]))
        array([1, 2, 3, 3])
    """
    missing = (1 << (len(array) - 1).bit_length()) - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def offers_cuda() -> bool:
    """Return whether the installed ONNX Runtime is the one for GPUs; there may be none."""
    return _PROVIDERS["cuda"] in onnxruntime.get_available_providers()


def check_device(device: str) -> None:
    """Check that the installed ONNX Runtime can compute on ``device``.

    Raises:
        ConfigError: If it is neither cpu nor cuda, or the provider is not installed.
    """
    if device not in _PROVIDERS:
        raise ConfigError(f"device: expected {' or '.join(_PROVIDERS)}, got {device!r}")
    if _PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"device: expected an onnxruntime with {_PROVIDERS[device]} for {device}, got one without; "
            "passerby doctor --install gpu, or set device: cpu"
        )


def preflight(*, weights: str, weights_dir: str | Path | None, sha256: str | None, device: str, **_: object) -> None:
    """Check, without loading the network, that a plug-in's constructor will find its weights and its device.

    Raises:
        ConfigError: If the device is not there.
        WeightsError: If the weights are absent or altered.
    """
    check_device(device)
    locate_weights(weights, weights_dir=weights_dir, sha256=sha256)


def preflight_scaled(*, colour_order: str, mean: Sequence[float], std: Sequence[float], **options: Any) -> None:
    """Check as ``preflight``, and that the pixels can be scaled so.

    Raises:
        ConfigError: If the device is not there, or the scaling makes no sense.
        WeightsError: If the weights are absent or altered.
    """
    PixelScaling(colour_order=colour_order, mean=mean, std=std)
    preflight(**options)


def _open(path: Path, *, device: str, threads: int) -> onnxruntime.InferenceSession:
    if device == "cuda":
        onnxruntime.preload_dlls()  # CUDA's libraries from pip lie where the loader does not look
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin take the processor away from the other actors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[(_PROVIDERS[device], _OPTIONS[device])])
    except _LOAD_ERRORS as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: expected a network that onnxruntime can run, got: {reason}") from error
    if _PROVIDERS[device] not in session.get_providers():
        # Without a driver ONNX Runtime falls back to the processor and only logs it.
        raise ConfigError(
            f"device: expected a working driver for {device}, got {session.get_providers()}; set device: cpu"
        )
    return session


def _port(value: onnxruntime.NodeArg) -> Port:
    dtype = str(value.type).removeprefix("tensor(").removesuffix(")")
    # ONNX Runtime gives a string or None for an axis of any size.
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return Port(str(value.name), _DTYPES.get(dtype, dtype), shape)
