"""The arguments that plug-ins with a network share: where its file is, and where it runs."""

from pathlib import Path
from typing import NotRequired, TypedDict


class NetworkFile(TypedDict):
    """A network's file and its device.

    Attributes:
        weights: Name or path of the file; of an OpenVINO ``.xml`` the ``.bin`` lies beside it.
        weights_dir: Where weights are looked for first.
        sha256: Digest of the file, 64 hex digits; None takes that of the catalogue, if there is one.
        device: cpu; cuda where ONNX Runtime or torch computes, gpu (of Intel) where OpenVINO does.
        threads: Processor threads, at least 1.
        reproducible: True, the default: each frame, crop of a tracklet or clip is a call of its own, and its result
            does not depend on what else waits. False: what waits is computed in one call, and the last bits may differ.
    """

    weights: str
    weights_dir: str | Path | None
    sha256: str | None
    device: str
    threads: int
    reproducible: NotRequired[bool]
