"""The only place that imports onnxruntime: explicit device, explicit threads, nothing sent."""

import os
from pathlib import Path

# onnxruntime identifies the machine and reports to its maker from its import on, unless told before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from pipeline.core.errors import ConfigError, WeightsError

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# A GPU would otherwise time its algorithms in every process anew, and round to 10 bits.
_OPTIONS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}}
_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


def check_device(device: str) -> None:
    """Raise unless the installed onnxruntime can compute on ``device``.

    Raises:
        ConfigError: If it is neither cpu nor cuda, or the provider is not installed.
    """
    if device not in _PROVIDERS:
        raise ConfigError(f"device: expected {' or '.join(_PROVIDERS)}, got {device!r}")
    if _PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"device: expected an onnxruntime with {_PROVIDERS[device]} for {device}, got one without; "
            "install onnxruntime-gpu in place of onnxruntime, or set device: cpu"
        )


def open_session(path: Path, *, device: str, threads: int) -> onnxruntime.InferenceSession:
    """Return a session of the network at ``path``.

    Args:
        path: An ``.onnx`` file.
        device: cpu or cuda.
        threads: Of the processor, at least 1.

    Raises:
        ConfigError: If onnxruntime cannot use the device, or ``threads`` is below 1.
        WeightsError: If the file is no network that onnxruntime can run.
    """
    check_device(device)
    if threads < 1:
        raise ConfigError(f"threads: expected at least 1, got {threads}")
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
        # Without a driver onnxruntime would go on, on the processor, with a line in its log.
        raise ConfigError(
            f"device: expected a working driver for {device}, got {session.get_providers()}; set device: cpu"
        )
    return session


def input_of_crops(
    session: onnxruntime.InferenceSession, crop_hw: tuple[int, int], *, weights: str, option: str
) -> tuple[str, bool]:
    """Return the name of the one input, which takes crops ``(N, 3, h, w)``, and whether it takes one at a time.

    Args:
        session: A network whose only input has four axes.
        crop_hw: Height and width that crops will have, pixels.
        weights: What the network is called in messages.
        option: What the size is called in messages.

    Raises:
        ConfigError: If the network takes another size.
        WeightsError: If it takes a fixed number of crops that is not 1.
    """
    (taken,) = session.get_inputs()
    num_crops, *sizes = taken.shape
    wanted = (3, *crop_hw)
    if any(isinstance(size, int) and size != want for size, want in zip(sizes, wanted, strict=True)):
        raise ConfigError(f"{option}: expected what {weights} takes, {sizes}, got {list(wanted)}")
    if isinstance(num_crops, int) and num_crops != 1:
        raise WeightsError(
            f"{weights}: expected any number of crops a call, or 1, got {num_crops}; export it with a free N"
        )
    return str(taken.name), num_crops == 1
