"""Stand-ins for compiled parts that importing MMPose asks for, and that finding keypoints never calls.

- ``mmcv._ext``: operators of mmcv. The package ``mmcv-lite`` has none, and there is no mmcv with operators for today's
  torch that can be installed without compiling for a quarter of an hour.
- ``torchvision::nms``, ``torchvision::qnms``: torchvision has these when its compiled part loads, which it does
  only beside the torch that it was built for. A torch without CUDA is none of those on the package registry.
"""

import importlib
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

import torch

OPERATORS = ("nms", "qnms")
"""Operators that torchvision needs to know in order to be imported; both take boxes, scores and a threshold."""


class NoOperators(ModuleType):
    """A module that has an operator of every name, none of which can be called."""

    def __getattr__(self, name: str) -> object:
        """Return a function that says what is missing."""
        if name.startswith("__"):
            raise AttributeError(name)

        def absent(*_: object, **__: object) -> NoReturn:
            raise RuntimeError(f"mmcv's operator {name} is not installed; build mmcv with its operators to use it")

        return absent


def mmcv_operators() -> dict[str, ModuleType]:
    """Return what must be in ``sys.modules`` while MMPose is imported only; empty if mmcv has operators."""
    return {} if find_spec("mmcv._ext") is not None else {"mmcv._ext": NoOperators("mmcv._ext")}


def torchvision_operators() -> torch.library.Library | None:
    """Make torchvision importable.

    Returns:
        The owner of the operators that were defined, which must live for as long as torchvision is used; None if its
        own work.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:  # operator torchvision::nms does not exist
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in OPERATORS:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None
