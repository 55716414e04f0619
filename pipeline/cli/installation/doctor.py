"""``passerby doctor``: what is installed, which devices and codecs there are, and what is missing.

Exit code 0 if the default run can work, 1 if something it needs is missing.
"""

import argparse
import ctypes
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import av
import yaml
from rich.table import Table
from rich.text import Text

from connectors.sources.hardware_decoding import DEVICES, why_not
from models.weights.store import CATALOGUE, locate_weights
from pipeline.cli.installation import gpu, mmpose
from pipeline.cli.printing import print_table
from pipeline.config.composition import load_config
from pipeline.core.command_line import parse_with_overrides
from pipeline.core.errors import ReidError, WeightsError

NEEDED = (
    "numpy",
    "scipy",
    "cv2",
    "av",
    "onnxruntime",
    "faiss",
    "supervision",
    "trackers",
    "trackeval",
    "ray",
    "fastapi",
)
"""Modules that the default run imports."""
EXTRAS = {
    "apprise": ("apprise", "sink=apprise: mail, Telegram, Slack …"),
    "kafka": ("kafka", "frames from Kafka, events to Kafka"),
    "mqtt": ("paho.mqtt.client", "sink=mqtt, Home Assistant"),
    "objects": ("s3fs", "recordings in object stores: s3://, gs://"),
    "openvino": ("openvino", "detector=openvino, pose=movenet, embedder=omz_0288"),
    "parquet": ("pyarrow", "ledger export as Parquet"),
    "traces": ("opentelemetry.exporter.otlp.proto.http", "sink=open_telemetry"),
    "train": ("onnx", "training networks"),
    "ultralytics": ("ultralytics", "detector=ultralytics"),
    "video": ("safetensors", "re-ID networks of clips"),
    "world": ("warp", "cameras of a synthetic world"),
}
"""Extra: a module that it brings, and what it is for."""
INSTALLERS = {"gpu": gpu.install, "mmpose": mmpose.install}
"""What ``--install`` offers."""
CODECS = ("h264", "hevc", "av1", "vp9", "mjpeg")
TIME_ERROR = 5
"""What ``adjtimex`` returns when the clock of the machine is not synchronised (Linux, adjtimex(2))."""


class State(StrEnum):
    """How one check went."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        state: Only ``MISSING`` means that the default run cannot work.
        name: What was checked.
        text: What was found, and what to do where something is missing.
    """

    state: State
    name: str
    text: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every finding, and return the exit code."""
    options = parse_with_overrides(make_parser(), arguments)
    if options.install:
        try:
            INSTALLERS[options.install]()
        except ReidError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        return 0
    checks: list[Callable[[], list[Finding]]] = [packages, extras, devices, codecs, weights, clock, disk]
    findings = [finding for check in checks for finding in check()]
    if any(word.startswith("site") for word in options.overrides):
        findings += detectors(options.overrides)
    if options.broker:
        findings += broker(options.broker, options.overrides)
    table = Table(box=None, pad_edge=False, show_header=False)
    colours = {State.OK: "green", State.NOTE: "yellow", State.MISSING: "red"}
    for finding in findings:
        table.add_row(Text(finding.state, style=colours[finding.state]), finding.name, finding.text)
    print_table(table)
    return int(any(finding.state is State.MISSING for finding in findings))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby doctor", description=__doc__)
    parser.add_argument("--broker", default=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), help="a Kafka broker, host:port")
    parser.add_argument(
        "--install", choices=sorted(INSTALLERS), help="install what pip alone cannot, into this environment, and try it"
    )
    parser.add_argument(
        "overrides", nargs="*", help="key=value of a run: site… shows its detectors, source.kafka.… is for --broker"
    )
    return parser


def packages() -> list[Finding]:
    """Return whether everything is installed that the default run imports."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    version = f"passerby {metadata.version('passerby')}, Python {platform.python_version()}, {platform.platform()}"
    if missing:
        return [Finding(State.MISSING, "packages", f"{', '.join(missing)} not found; pip install passerby again")]
    return [Finding(State.OK, "packages", version)]


def extras() -> list[Finding]:
    """Return which optional parts are installed."""
    found = []
    for extra, (module, purpose) in EXTRAS.items():
        if _is_there(module):
            found.append(Finding(State.OK, f"extra {extra}", purpose))
        else:
            found.append(
                Finding(State.NOTE, f"extra {extra}", f"not installed ({purpose}): pip install 'passerby[{extra}]'")
            )
    return found


def devices() -> list[Finding]:
    """Return what networks, the gallery and the decoder would use."""
    return [
        Finding(State.OK, "processor", f"{os.cpu_count()} cores"),
        _onnx_runtime(),
        *_torch(),
        _gallery(),
        *(_hardware_decoder(kind) for kind in DEVICES),
    ]


def _onnx_runtime() -> Finding:
    if both := _both("onnxruntime", "onnxruntime-gpu"):
        return Finding(State.MISSING, "ONNX Runtime", both)
    from models.backends.onnx_runtime import offers_cuda  # fails where the files of both builds are mixed

    found = "offers CUDA: device=cuda, where there is a GPU" if offers_cuda() else "no CUDA: device=cpu"
    installed = _version("onnxruntime") or _version("onnxruntime-gpu")
    return Finding(State.OK, "ONNX Runtime", f"{installed}, {found}")


def _both(*builds: str) -> str | None:
    """Return what to do if two builds of a library, which share their files, are installed."""
    if all(_version(name) for name in builds):
        return f"{' and '.join(builds)} are both installed, and share their files: passerby doctor --install gpu"
    return None


def _torch() -> list[Finding]:
    if not _is_there("torch"):
        return []
    import torch  # two seconds

    found = f"finds {torch.cuda.get_device_name()}: device=cuda" if torch.cuda.is_available() else "no GPU: device=cpu"
    return [Finding(State.OK, "torch", f"{torch.__version__}, {found}")]


def _gallery() -> Finding:
    if both := _both("faiss-cpu", "faiss-gpu-cu12"):
        return Finding(State.MISSING, "FAISS", both)
    import faiss  # fails where the files of both builds are mixed

    number = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
    return Finding(
        State.OK, "FAISS", f"{faiss.__version__}, {number} GPUs: gallery.device={'cuda' if number else 'cpu'}"
    )


def _hardware_decoder(kind: str) -> Finding:
    reason = why_not(kind)
    if reason is None:
        return Finding(State.OK, f"decoder {kind}", f"hwaccel: {kind}, or auto")
    return Finding(State.OK, f"decoder {kind}", f"not here ({reason}); the processor decodes")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def codecs() -> list[Finding]:
    """Return which video can be decoded, and whether films can be written."""
    missing = [name for name in CODECS if not _has_codec(name, "r")]
    findings = [
        Finding(State.NOTE, "decoders", f"no {', '.join(missing)} in PyAV {av.__version__}")
        if missing
        else Finding(State.OK, "decoders", f"{', '.join(CODECS)} (PyAV {av.__version__})")
    ]
    if not _has_codec("libx264", "w"):
        findings.append(Finding(State.NOTE, "encoder", "no libx264: sink=annotated_video cannot write films"))
    return findings


def weights() -> list[Finding]:
    """Return where the checkpoints are that ship with Passerby."""
    known = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    missing = []
    for name, entry in known.items():
        if entry.get("url") is None and name.startswith("passerby"):
            try:
                locate_weights(name, weights_dir=None)
            except WeightsError:
                missing.append(name)
    if missing:
        return [Finding(State.MISSING, "weights", f"{', '.join(missing)} not found or altered; install Passerby again")]
    return [Finding(State.OK, "weights", "those of the default run are there; passerby weights lists the others")]


def clock() -> list[Finding]:
    """Return whether the clock is kept by a time server; event time of live cameras rests on it."""
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    state = _clock_state()
    if state is None:
        return [Finding(State.NOTE, "clock", f"{now}; the system does not say whether it is synchronised")]
    if state == TIME_ERROR:
        return [Finding(State.NOTE, "clock", f"{now}; not synchronised: run a time service on every machine")]
    return [Finding(State.OK, "clock", f"{now}, synchronised")]


def disk() -> list[Finding]:
    """Return how much room there is for results in the folder that this runs in."""
    free_gb = shutil.disk_usage(".").free / 1e9
    state = State.OK if free_gb > 5 else State.NOTE
    return [Finding(state, "disk", f"{free_gb:.0f} GB free here")]


def broker(servers: str, overrides: Sequence[str] = ()) -> list[Finding]:
    """Return whether a Kafka broker lets a client in that connects as a run with these overrides does."""
    if not _is_there("kafka"):
        return [Finding(State.NOTE, "broker", "not asked: pip install 'passerby[kafka]'")]
    from connectors.kafka.client import client_options  # only where kafka-python is installed
    from connectors.kafka.preflight import topics_or_refusal

    try:
        security = load_config(["site=empty", *overrides]).source["kafka"]["security"]
        found = topics_or_refusal(client_options(servers, security, "source.kafka"))
    except ReidError as error:
        return [Finding(State.MISSING, "broker", str(error))]
    if isinstance(found, str):
        is_named = found.startswith(tuple(servers.split(",")))
        return [Finding(State.MISSING, "broker", found if is_named else f"{servers}: {found}")]
    return [Finding(State.OK, "broker", f"{servers} answers; {len(found)} topics")]


def detectors(overrides: Sequence[str]) -> list[Finding]:
    """Return which detector each camera of a run with these overrides would have, or why the run could not start."""
    from pipeline.config.detection import own_detectors  # these need packages that may be missing
    from pipeline.config.plan import make_plan
    from pipeline.config.sites import load_sites

    try:
        sites = load_sites(overrides)
        for config in sites.values():
            make_plan(config)
    except ReidError as error:
        return [Finding(State.MISSING, "configuration", str(error))]
    found: dict[str, Any] = {}
    for site, config in sites.items():
        own = {name: node for name, (_, node) in own_detectors(config.site.cameras).items()}
        for name in config.site.cameras:
            found[f"{site}/{name}" if site else name] = own.get(name, config.detector)
    return [Finding(State.OK, f"detector of {name}", _said(node)) for name, node in found.items()]


def _said(detector: Mapping[str, Any]) -> str:
    height, width = detector["input_hw"]
    return f"{detector.get('weights', detector['_target_'])}, {height}x{width}, {detector.get('device', 'cpu')}"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package that it is in
        return False


def _has_codec(name: str, mode: str) -> bool:
    try:
        av.codec.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _clock_state() -> int | None:
    """Return what ``adjtimex`` says, reading only; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    buffer = ctypes.create_string_buffer(512)  # struct timex is smaller; modes = 0 reads
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else int(state)


if __name__ == "__main__":
    sys.exit(main())
