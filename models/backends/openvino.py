"""The only place that imports OpenVINO: one precision, explicit threads, nothing sent."""

import sys
from pathlib import Path

# Importing OpenVINO reports to its maker through this package; without it, it stays quiet.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino.preprocess import ColorFormat, PrePostProcessor  # noqa: E402

from pipeline.core.errors import ConfigError, WeightsError  # noqa: E402

_DEVICES = {"cpu": "CPU", "gpu": "GPU"}


def check_device(device: str) -> None:
    """Raise unless OpenVINO can compute on ``device``.

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


def compile_model(path: Path, *, device: str, threads: int, batch: int | None = None) -> ov.CompiledModel:
    """Return the network at ``path``, compiled, with the inputs that it has.

    Args:
        path: IR (``.xml``, its ``.bin`` beside it), ``.onnx`` or ``.tflite``.
        device: cpu or gpu (of Intel).
        threads: Of the processor, at least 1.
        batch: First size of the input; -1 for any, None for what the file says.

    Raises:
        ConfigError: If the device is not there, or ``threads`` is below 1.
        WeightsError: If the file is no model that OpenVINO reads.
    """
    try:
        return _compile(_read(path, batch), device=device, threads=threads)
    except RuntimeError as error:
        raise _unreadable(path, error) from error


def compile_bgr_model(path: Path, *, device: str, threads: int, batch: int | None = None) -> ov.CompiledModel:
    """Return a network that was made for BGR pictures in [0, 255], compiled to take ours.

    The file's input is ``(N, 3, H, W)``, float32, BGR. The returned network's is ``(N, H, W, 3)``, uint8,
    RGB; it swaps and converts inside. Arguments and errors as ``compile_model``.
    """
    try:
        processor = PrePostProcessor(_read(path, batch))
        picture = processor.input()
        picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        picture.tensor().set_color_format(ColorFormat.RGB)
        picture.preprocess().convert_color(ColorFormat.BGR).convert_element_type(ov.Type.f32)
        picture.model().set_layout(ov.Layout("NCHW"))
        return _compile(processor.build(), device=device, threads=threads)
    except RuntimeError as error:
        raise _unreadable(path, error) from error


def _read(path: Path, batch: int | None) -> ov.Model:
    model = ov.Core().read_model(path)
    if batch is not None:
        shape = model.input().get_partial_shape()
        shape[0] = batch
        model.reshape(shape)
    return model


def _compile(model: ov.Model, *, device: str, threads: int) -> ov.CompiledModel:
    check_device(device)
    if threads < 1:
        raise ConfigError(f"threads: expected at least 1, got {threads}")
    # Left alone, it takes bfloat16 where the processor has it, and results differ between machines.
    options: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if device == "cpu":
        options |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    return ov.Core().compile_model(model, _DEVICES[device], options)


def _unreadable(path: Path, error: RuntimeError) -> WeightsError:
    reason = [line for line in str(error).splitlines() if line.strip()][-1].strip()
    return WeightsError(f"{path}: expected a model that OpenVINO can run, got: {reason}; check the file")
