"""From a plug-in's YAML to a checked, picklable factory; the only place that resolves ``_target_``.

Every mistake shows on the driver in the first second, not on a GPU node ten minutes later.
"""

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from types import UnionType
from typing import Any, Unpack, get_args, get_origin, get_type_hints

from pipeline.core.camera_uri import file_path, parse_camera
from pipeline.core.errors import ConfigError, MissingDependencyError, in_a_line
from pipeline.core.plugin_contract import blaming, check_class

ALLOWED = ("models.", "connectors.", "pipeline.alerts.")
"""Prefixes of the plug-ins that a configuration may name; otherwise it could call any function of Python."""

ENTRY_POINTS = "passerby.plugins"
"""Group of entry points: an installed package that names itself here is allowed, too."""

NETWORK_OPENER = "connectors.sources.network.NetworkOpener"
RECORDED_CAMERA = "connectors.sources.recorded.RecordedCamera"

SEVERAL = ("alerts", "sink", "source")
"""Kinds of which a run has several: their choice is a list, and each YAML begins with a name."""

OWN = ("models", "connectors", "pipeline")
"""Packages of this project: a missing module in them is a mistake in ``_target_``, not a missing package."""
EXTRAS = {
    "fsspec": "passerby[objects]",
    "apprise": "passerby[apprise]",
    "kafka": "passerby[kafka]",
    "openvino": "passerby[openvino]",
    "opentelemetry": "passerby[traces]",
    "paho": "passerby[mqtt]",
    "safetensors": "passerby[video]",
    "torch": "passerby[video]",
    "ultralytics": "passerby[ultralytics]",
    "warp": "passerby[world]",
}
"""What to install for a package, where that is not the package itself."""

OF_MMPOSE = ("mmpose", "mmengine", "mmcv", "mmdet")
"""Packages that pip alone cannot install together."""

EXTRAS_OF_MODULES = {"models.detection.ultralytics": "passerby[ultralytics]"}
"""What to install for a plug-in that needs more than the package that is missed."""


def build(
    node: object, key: str, *leading: object, allow: Sequence[str] = (), preflight: bool = True
) -> Callable[[], Any]:
    """Return a factory that calls the plug-in's constructor; nothing is constructed.

    Args:
        node: The plug-in's configuration: ``_target_`` and keyword arguments. An argument that has a ``_target_``
            itself reaches the plug-in as a factory, which still takes what the configuration leaves out.
        key: Its key in the configuration, for messages; for instance ``detector``.
        leading: Positional arguments before those of the configuration.
        allow: Packages besides those of this project that ``_target_`` may be in; ``allow_plugins``.
        preflight: Let the class check that it can work here; False if it will work on another machine.

    Raises:
        ConfigError: If the node is no plug-in, or the arguments do not fit its constructor.
        MissingDependencyError: If a package that the plug-in needs is not installed.
        WeightsError: If its weights are missing or altered.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise ConfigError(f"{key}: expected a plug-in with _target_, got {node!r}; see configs/")
    factory = _bind(node, key, inspect.Signature.bind, leading, prefixes=_prefixes(allow))
    check_class(key, factory.func)
    check = getattr(factory.func, "preflight", None)
    if preflight and check is not None:
        with blaming(key, factory.func):
            check(**factory.keywords)
    return factory


def check_named(kind: str, nodes: Mapping[str, object]) -> None:
    """Raise ``ConfigError`` if a YAML of a kind that is chosen as a list does not begin with a name.

    Args:
        kind: Its key in the configuration, for instance ``sink``.
        nodes: What the configuration has there, by name.
    """
    if "_target_" in nodes:
        target = nodes["_target_"]
        raise ConfigError(
            f"{kind}: expected a YAML that begins with the name of the plug-in, got one that begins with _target_: "
            f"{target}; write mine: in its first line, and indent the others by two spaces below it"
        )


def check_outside(factory: Callable[[], Any], key: str) -> None:
    """Let a sink's class check what is outside the program, if it has a ``check``; nothing is constructed.

    Args:
        factory: Of the sink.
        key: Its key in the configuration, for messages.

    Raises:
        PluginError: If the check raises what it should not.
        ConfigError: If the sink could not work.
    """
    assert isinstance(factory, partial)
    check = getattr(factory.func, "check", None)
    if check is not None:
        with blaming(key, factory.func):
            check(**factory.keywords)


def attribute(factory: Callable[[], Any], name: str) -> Any:
    """Return the keyword argument of this name in a factory of ``build``, or else that attribute of its class."""
    assert isinstance(factory, partial)
    return factory.keywords[name] if name in factory.keywords else getattr(factory.func, name)


def build_source(
    camera_id: str, camera: object, sources: Mapping[str, Any], *, key: str | None = None, allow: Sequence[str] = ()
) -> Callable[[], Any]:
    """Return a factory of the source that a camera's URI asks for.

    Args:
        camera_id: The camera.
        camera: A URI, a device number, or a block with ``uri`` and options of that source.
        sources: Plug-ins by the kind of URI that they open, see ``pipeline.core.camera_uri``.
        key: Where it stands, for messages; None: among the site's cameras.
        allow: As in ``build``.

    Raises:
        ConfigError: If no source opens such a URI, or the options do not fit its constructor.
    """
    key = key or f"site.cameras.{camera_id}"
    try:
        found = parse_camera(camera)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}; for instance {key}: /a/east.mp4") from error
    if found.kind not in sources:
        raise ConfigError(
            f"{key}: expected a file, a folder, a device number or one of {sorted(sources)}://, got {found.kind}://"
        )
    # Workers may run in another folder.
    uri = str(file_path(found.uri).absolute()) if found.is_recording else found.uri
    return build(_with_options(sources[found.kind], found.options), key, camera_id, uri, allow=allow)


def build_recorded(
    camera_id: str,
    camera: object,
    sources: Mapping[str, Any],
    make_source: Callable[[], Any],
    folder: Path,
    *,
    allow: Sequence[str] = (),
) -> Callable[[], Any]:
    """Return a factory of a source, and of the recording of the camera's main stream beside it, if there is one.

    Args:
        camera_id: The camera.
        camera: As of ``build_source``; its ``record`` is the address of the main stream, or a block with that.
        sources: As of ``build_source``.
        make_source: Makes the source of the frames.
        folder: Where recordings are written, in a folder of the camera.
        allow: As in ``build``.

    Raises:
        ConfigError: If the main stream is none of the network, or the options do not fit.
    """
    record = parse_camera(camera).record
    if record is None:
        return make_source
    key = f"site.cameras.{camera_id}.record"
    try:
        found = parse_camera(record)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}; for instance {key}: rtsp://host/main") from error
    node: Mapping[str, Any] = _with_options(sources.get(found.kind) or {}, found.options)
    opener = node.get("opener")
    if not isinstance(opener, Mapping) or opener.get("_target_") != NETWORK_OPENER:
        raise ConfigError(f"{key}: expected the address of a live stream such as rtsp://host/main, got {found.kind}")
    shared = [name for name in ("ca_file", "verify") if name in node]
    own = [name for name in ("open_timeout_s", "read_timeout_s", "segment_s", "keep_s") if name in node]
    unknown = sorted(set(found.options) - {"opener", *shared, *own})
    if unknown:
        raise ConfigError(f"{key}.{unknown[0]}: there is no such key; a recording has segment_s, keep_s and opener")
    recorded = {
        "_target_": RECORDED_CAMERA,
        "opener": {**opener, **{name: node[name] for name in shared}},
        **{name: node[name] for name in own},
    }
    return build(recorded, key, camera_id, found.uri, make_source, folder / camera_id, allow=allow)


def _prefixes(allow: Sequence[str]) -> tuple[str, ...]:
    """Return what ``_target_`` may begin with: our packages, installed plug-ins, and what the configuration allows."""
    installed = {point.module.split(".")[0] for point in metadata.entry_points(group=ENTRY_POINTS)}
    return (*ALLOWED, *(f"{package}." for package in sorted({*installed, *allow})))


def _with_options(node: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plug-in's node with other options; a plug-in inside it keeps the options that are not named."""
    inner = {
        name: {**node[name], **value}
        for name, value in options.items()
        if isinstance(value, Mapping) and isinstance(node.get(name), Mapping) and "_target_" in node[name]
    }
    return {**node, **options, **inner}


def _bind(
    node: Mapping[str, object],
    key: str,
    bind: Callable[..., object],
    leading: Sequence[object] = (),
    *,
    prefixes: tuple[str, ...],
) -> partial[Any]:
    arguments = {
        name: _argument(value, f"{key}.{name}", prefixes) for name, value in node.items() if name != "_target_"
    }
    plugin = _import(str(node["_target_"]), key, prefixes)
    signature = _signature(plugin)
    try:
        bind(signature, *leading, **arguments)
    except TypeError as error:
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.parameters.values())
        unknown = [] if takes_any else [name for name in arguments if name not in signature.parameters]
        why = f"got an unexpected argument {unknown[0]!r}" if unknown else str(error)
        close = difflib.get_close_matches(unknown[0], signature.parameters, 1) if unknown else []
        meant = f", perhaps {close[0]!r} is meant" if close else ""
        raise ConfigError(
            f"{key}: {why}{meant}; {plugin.__name__} takes {', '.join(signature.parameters) or 'none'}"
        ) from error
    for name, value in arguments.items():
        if name in signature.parameters:  # not one that the plug-in takes as **options
            _check_type(signature.parameters[name].annotation, value, f"{key}.{name}")
    return partial(plugin, *leading, **arguments)


def _signature(plugin: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a constructor, the keys of a typed dictionary (``**file: Unpack[…]``) written out."""
    signature = inspect.signature(plugin)
    parameters = []
    for parameter in signature.parameters.values():
        if get_origin(parameter.annotation) is Unpack:
            typed = get_args(parameter.annotation)[0]
            kind, needed = inspect.Parameter.KEYWORD_ONLY, typed.__required_keys__
            parameters += [
                inspect.Parameter(
                    name, kind, annotation=key, default=inspect.Parameter.empty if name in needed else ...
                )
                for name, key in get_type_hints(typed).items()
            ]
        else:
            parameters.append(parameter)
    return signature.replace(parameters=parameters)


def _argument(value: object, key: str, prefixes: tuple[str, ...]) -> object:
    if isinstance(value, Mapping) and "_target_" in value:
        return _bind(value, key, inspect.Signature.bind_partial, prefixes=prefixes)
    return _immutable(value)


def _import(target: str, key: str, prefixes: tuple[str, ...]) -> Callable[..., Any]:
    module_name, _, class_name = target.rpartition(".")
    if not target.startswith(prefixes):
        raise ConfigError(
            f"{key}._target_: expected one of {', '.join(prefixes)}…, got {target}; "
            f"allow_plugins=[{target.split('.')[0]}] allows a package of yours"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise _not_found(error.name or module_name, module_name, key) from error
    except (Exception, SystemExit) as error:  # a plug-in is anybody's code
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{at.filename}:{at.lineno}"
        if isinstance(error, SyntaxError):
            place = f"{error.filename}:{error.lineno}"
        raise ConfigError(
            f"{key}._target_: importing {module_name} raised {in_a_line(error)} ({place}); correct it, or choose "
            "another"
        ) from error
    plugin = getattr(module, class_name, None)
    if not inspect.isclass(plugin):
        raise ConfigError(f"{key}._target_: there is no class {class_name} in {module_name}; correct it")
    return plugin


def _not_found(missing: str, module: str, key: str) -> ConfigError:
    """Return the error of a module that is not there: the plug-in's own, or one that it needs.

    A command that installs something is named for known packages alone: of another one, only its name is known.
    """
    above, _, name = missing.rpartition(".")
    if f"{module}.".startswith(f"{missing}.") or missing.split(".")[0] in (*OWN, module.split(".")[0]):
        if above:
            return ConfigError(f"{key}._target_: there is no module {name} in {above}; correct it")
        return ConfigError(
            f"{key}._target_: there is no module {missing} here; correct it, install it, or name its folder in "
            "PYTHONPATH"
        )
    package = missing.split(".")[0]
    is_known = (
        package in sys.stdlib_module_names or package in EXTRAS or package in OF_MMPOSE or module in EXTRAS_OF_MODULES
    )
    command = install_command(package, module) if is_known else "install what provides it"
    return MissingDependencyError(f"{key}: {module} needs {package}, which is not installed; {command}")


def install_command(package: str, module: str = "") -> str:
    """Return the command that installs a package which a module of this project needs."""
    if package in sys.stdlib_module_names:
        return "it is a standard module: use a Python and a system that have it"
    if package in OF_MMPOSE or module.startswith("models.pose.mmpose"):
        return "passerby doctor --install mmpose"
    return f"pip install '{EXTRAS_OF_MODULES.get(module, EXTRAS.get(package, package))}'"


def _check_type(annotation: object, value: object, key: str) -> None:
    """Raise ``ConfigError`` if a value has none of the annotated types. Only the outer type of a container counts."""
    kinds = [
        get_origin(kind) or kind
        for kind in (get_args(annotation) if isinstance(annotation, UnionType) else [annotation])
    ]
    if annotation is inspect.Parameter.empty or not all(isinstance(kind, type) for kind in kinds):
        return
    if float in kinds:
        kinds.append(int)
    is_right = any(isinstance(value, kind) for kind in kinds if isinstance(kind, type))
    if not is_right or (isinstance(value, bool) and not {bool, object} & set(kinds)):
        expected = inspect.formatannotation(annotation).replace("collections.abc.", "")
        raise ConfigError(f"{key}: expected {expected}, got {value!r}; correct it")


def _immutable(value: object) -> object:
    """Return a value whose lists are tuples, which constructors cannot change."""
    if isinstance(value, list):
        return tuple(_immutable(item) for item in value)
    if isinstance(value, dict):
        return {name: _immutable(item) for name, item in value.items()}
    return value
