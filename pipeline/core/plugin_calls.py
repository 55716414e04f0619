"""Calls of plug-ins: what one raises against its contract becomes one line that names it."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from pipeline.core.errors import PluginError, ReidError

Made = TypeVar("Made")


@contextmanager
def blaming(key: str, plugin: object) -> Iterator[None]:
    """Name a plug-in in whatever is raised inside, unless it is an error that its contract allows.

    Args:
        key: Of the configuration, such as ``sink.kafka``.
        plugin: The plug-in, or its class.

    Raises:
        PluginError: In place of an error that is none of ours.
    """
    try:
        yield
    except ReidError:
        raise
    except Exception as error:  # a plug-in is anybody's code
        kind = plugin if isinstance(plugin, type) else type(plugin)
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == getattr(sys.modules[kind.__module__], "__file__", None)]
        at = (own or frames)[-1]
        raise PluginError(
            f"{key}: expected {kind.__module__}.{kind.__qualname__} to work, got {type(error).__name__}: {error} "
            f"({at.filename}:{at.lineno}); correct it, or choose another"
        ) from error


def made(key: str, make: Callable[[], Made]) -> Made:
    """Return a plug-in of a factory; an error of its constructor names it. See ``blaming``."""
    with blaming(key, make.func if isinstance(make, partial) else make):
        return make()
