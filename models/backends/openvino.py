"""Networks in OpenVINO. This is the only module that imports it: one precision, explicit threads, no telemetry."""

import sys
from collections import Counter
from pathlib import Path
from typing import Self, Unpack

import numpy as np

from models.backends.import_settings import import_settings
from models.backends.network import Array, Port
from models.backends.network_file import NetworkFile
from models.weights.store import locate_weights
from pipeline.core.errors import ConfigError, WeightsError

# OpenVINO reports to its maker through this package when it is imported; without the package it does not.
with import_settings(sys.modules, openvino_telemetry=None):
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

_DEVICES = {"cpu": "CPU", "gpu": "GPU"}


class OpenVinoNetwork:
    """A network of an IR, ONNX or TFLite file. Implements ``models.backends.network.Network``.

    Args:
        path: IR (``.xml``, with its ``.bin`` beside it), ``.onnx`` or ``.tflite``.
        device: cpu or gpu (of Intel).
        threads: Processor threads, at least 1.
        batch: First size of the input; -1 for any size, None for the size that the file has.
        takes_rgb: For a network of BGR pictures: the file's input is float32 BGR ``(N, 3, H, W)`` in [0, 255], and
            this object's input is uint8 RGB ``(N, H, W, 3)``. The network swaps and converts inside.

    Raises:
        ConfigError: If the device is not there, or ``threads`` is below 1.
        WeightsError: If OpenVINO cannot run the file.
    """

    def __init__(
        self, path: Path, *, device: str, threads: int, batch: int | None = None, takes_rgb: bool = False
    ) -> None:
        check_device(device)
        if threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        self.path, self.device, self.threads = path, device, threads
        try:
            model = _read(path, batch)
            self.compiled = _compile(_from_rgb(model) if takes_rgb else model, device=device, threads=threads)
        except RuntimeError as error:
            reason = [line for line in str(error).splitlines() if line.strip()][-1].strip()
            raise WeightsError(
                f"{path}: expected a model that OpenVINO can run, got: {reason}; check the file"
            ) from error
        self.inputs = tuple(_port(port) for port in self.compiled.inputs)
        self.outputs = tuple(_port(port) for port in self.compiled.outputs)
        self.calls: Counter[int] = Counter()
        self._request = self.compiled.create_infer_request()

    @classmethod
    def load(cls, *, batch: int | None = None, takes_rgb: bool = False, **file: Unpack[NetworkFile]) -> Self:
        """Return the network of a file; errors as ``locate_weights`` and the constructor."""
        path = locate_weights(file["weights"], weights_dir=file["weights_dir"], sha256=file["sha256"])
        return cls(path, device=file["device"], threads=file["threads"], batch=batch, takes_rgb=takes_rgb)

    def run(self, *inputs: Array) -> list[Array]:
        """Return the outputs, in order, for the inputs, in order."""
        found = self._request.infer(list(inputs), share_inputs=True)
        self.calls[len(inputs[0])] += 1
        return [found[index] for index in range(len(self.outputs))]


def check_device(device: str) -> None:
    """Check that OpenVINO can compute on ``device``.

    Raises:
        ConfigError: If it is no device of OpenVINO (it knows no CUDA), or this machine has none.
    """
    if device not in _DEVICES:
        raise ConfigError(
            f"device: expected {' or '.join(_DEVICES)} where OpenVINO computes, got {device!r}; set its device "
            "to cpu, or choose a plug-in that runs on onnxruntime or torch"
        )
    if device != "cpu" and not any(name.startswith(_DEVICES[device]) for name in ov.Core().available_devices):
        raise ConfigError(f"device: expected one that OpenVINO finds here, got {device!r}; set device: cpu")


def preflight(*, weights: str, weights_dir: str | Path | None, sha256: str | None, device: str, **_: object) -> None:
    """Check, without loading the network, that a plug-in's constructor will find its weights and its device.

    Raises:
        ConfigError: If the device is not there.
        WeightsError: If the weights are absent or altered.
    """
    check_device(device)
    locate_weights(weights, weights_dir=weights_dir, sha256=sha256)


def _read(path: Path, batch: int | None) -> ov.Model:
    model = ov.Core().read_model(path)
    if batch is not None:
        shape = model.input().get_partial_shape()
        shape[0] = batch
        model.reshape(shape)
    return model


def _from_rgb(model: ov.Model) -> ov.Model:
    processor = PrePostProcessor(model)
    picture = processor.input()
    picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    picture.tensor().set_color_format(ColorFormat.RGB)
    picture.preprocess().convert_color(ColorFormat.BGR).convert_element_type(ov.Type.f32)
    picture.model().set_layout(ov.Layout("NCHW"))
    return processor.build()


def _compile(model: ov.Model, *, device: str, threads: int) -> ov.CompiledModel:
    # By default OpenVINO takes bfloat16 where the processor has it, and results differ between machines.
    options: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if device == "cpu":
        options |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    return ov.Core().compile_model(model, _DEVICES[device], options)


def _port(port: ov.ConstOutput) -> Port:
    sizes = port.get_partial_shape()
    shape = tuple(size.get_length() if size.is_static else None for size in sizes)
    name = port.get_any_name() if port.get_names() else ""
    return Port(name, str(np.dtype(port.get_element_type().to_dtype())), shape)
