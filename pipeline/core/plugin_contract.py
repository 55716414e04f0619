"""What a plug-in's class, its instance and its answers must be; a fault is one line that names the plug-in."""

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FunctionType
from typing import Any, Protocol, TypeVar

from pipeline.core.errors import ConfigError, DataError, PluginError, ReidError, denied, in_a_line, without_users
from pipeline.core.interfaces import (
    AlertRule,
    Detector,
    Embedder,
    Gallery,
    Monitor,
    PoseEstimator,
    Sink,
    Source,
    Tracker,
)

Made = TypeVar("Made")
Answer = TypeVar("Answer")

INTERFACES: dict[str, Any] = {
    "alert_clips": Monitor,
    "alert_pictures": Monitor,
    "alerts": AlertRule,
    "detector": Detector,
    "embedder": Embedder,
    "enrol": Source,
    "gallery": Gallery,
    "monitor": Monitor,
    "pose": PoseEstimator,
    "recording": Monitor,
    "sink": Sink,
    "site": Source,
    "tracker": Tracker,
}
"""What a plug-in must be, by the first part of its key in the configuration."""

WHERE = "pipeline/core/interfaces.py says what it must do"


def check_class(key: str, plugin: Callable[..., Any]) -> None:
    """Raise ``ConfigError`` unless a class has the methods that its place in the configuration asks for.

    Args:
        key: Of the configuration, such as ``sink.mine``; of an unknown kind nothing is asked.
        plugin: The class. One that answers for any name (``__getattr__``) is taken at its word.
    """
    interface = INTERFACES.get(key.partition(".")[0])
    if interface is None or hasattr(plugin, "__getattr__"):
        return
    for name, method in _methods(interface):
        own = getattr(plugin, name, None)
        if own is None and _sets(plugin, name):
            continue  # its constructor makes the method; see ``made``
        wanted = [parameter.name for parameter in list(inspect.signature(method).parameters.values())[1:]]
        what = f"{key} ({plugin_name(plugin)}): expected a method {name}({', '.join(wanted)})"
        if not callable(own):
            raise ConfigError(f"{what}, got none; add it: {interface.__name__} in {WHERE}")
        if inspect.iscoroutinefunction(own) or inspect.isasyncgenfunction(own):
            raise ConfigError(f"{what}, got an async one; write it with def: {interface.__name__} in {WHERE}")
        is_bound = not isinstance(inspect.getattr_static(plugin, name), FunctionType)
        try:
            signature = inspect.signature(own)
        except ValueError:
            continue  # not written in Python
        try:
            signature.bind(*[None] * (len(wanted) + (not is_bound)))
        except TypeError as error:
            raise ConfigError(f"{what}, got {name}{signature}; correct it: {interface.__name__} in {WHERE}") from error


def made(key: str, make: Callable[[], Made]) -> Made:
    """Return a plug-in of a factory; an error of its constructor, and an attribute that it lacks, name it.

    Raises:
        PluginError: If the constructor raises what it should not.
        ConfigError: If an attribute is missing.
    """
    with blaming(key, make.func if isinstance(make, partial) else make):
        try:
            plugin = make()
        except ConfigError as error:
            raise ConfigError(_under(key, str(error))) from error
    interface = INTERFACES.get(key.partition(".")[0])
    if interface is None:
        return plugin
    for name in (*_attributes(interface), *(name for name, _ in _methods(interface))):
        with blaming(key, plugin):
            has = hasattr(plugin, name)
        if not has:
            raise ConfigError(
                f"{key} ({plugin_name(plugin)}): expected an attribute {name}, got none; set it in the class or in "
                f"__init__: {interface.__name__} in {WHERE}"
            )
    return plugin


def _under(key: str, text: str) -> str:
    """Return what a constructor says, with the key of the camera: a part of a source does not know it."""
    named, _, _ = text.partition(": ")
    if not key.startswith("site.cameras.") or named.startswith(("site.", "source.")):
        return text
    return f"{key}.{text}" if named.replace(".", "_").isidentifier() else f"{key}: {text}"


def answers(
    key: str, plugin: object, method: str, found: Sequence[Answer], kind: type[Answer], count: int
) -> Sequence[Answer]:
    """Return what a method returned for a batch.

    Raises:
        PluginError: If it is not one record of this kind for each item.
    """
    if isinstance(found, list | tuple) and len(found) == count and all(isinstance(each, kind) for each in found):
        return found
    others = [type(each).__name__ for each in found if not isinstance(each, kind)] if isinstance(found, list) else []
    got = f"a list of {len(found)}" if isinstance(found, list) else type(found).__name__
    raise PluginError(
        f"{key} ({plugin_name(plugin)}): expected {method} to return a list of {count} {kind.__name__}, got "
        f"{got}{f' with {others[0]}' if others else ''}; correct it: {WHERE}"
    )


@contextmanager
def blaming(key: str, plugin: object, *, owns_data: bool = False) -> Iterator[None]:
    """Name a plug-in in whatever is raised inside, unless it is an error that its contract allows.

    Args:
        key: Of the configuration, such as ``sink.kafka``.
        plugin: The plug-in, or its class.
        owns_data: What it was given is right, so a ``DataError`` is its fault, too.

    Raises:
        PluginError: In place of an error that is none of ours, also of one that is no ``Exception``, as ``SystemExit``.
        ConfigError: In place of one about rights: no fault of the plug-in.
    """
    try:
        yield
    except (GeneratorExit, KeyboardInterrupt):  # of whoever uses it
        raise
    except ReidError as error:
        if owns_data and isinstance(error, DataError):
            raise _fault(key, plugin, error) from error
        raise
    except PermissionError as error:
        raise ConfigError(f"{key}: {denied(error)}") from error
    except BaseException as error:  # a plug-in is anybody's code
        raise _fault(key, plugin, error) from error


def plugin_name(plugin: object) -> str:
    """Return where a plug-in, or its class, can be imported from."""
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return f"{kind.__module__}.{kind.__qualname__}"


def _fault(key: str, plugin: object, error: BaseException) -> PluginError:
    kind = plugin if isinstance(plugin, type) else type(plugin)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == getattr(sys.modules[kind.__module__], "__file__", None)]
    at = (own or frames)[-1]
    return PluginError(
        f"{key} ({plugin_name(plugin)}): {own[0].name if own else 'a call of it'} raised {in_a_line(error)} "
        f"({at.filename}:{at.lineno}); correct it, or choose another",
        without_users("".join(traceback.format_exception(error))),
    )


def _sets(plugin: Callable[..., Any], name: str) -> bool:
    """Return whether a constructor names an attribute."""
    code = getattr(vars(plugin).get("__init__"), "__code__", None)
    return code is not None and name in code.co_names


def _methods(interface: Any) -> Iterator[tuple[str, FunctionType]]:
    for base in _protocols(interface):
        for name, value in vars(base).items():
            if isinstance(value, FunctionType) and (not name.startswith("_") or name == "__len__"):
                yield name, value


def _attributes(interface: Any) -> Iterator[str]:
    for base in _protocols(interface):
        yield from inspect.get_annotations(base)
        yield from (name for name, value in vars(base).items() if isinstance(value, property))


def _protocols(interface: Any) -> Iterator[type]:
    return (base for base in interface.__mro__ if getattr(base, "_is_protocol", False) and base is not Protocol)
