"""Lets pytest run the contract tests on plug-ins that a configuration names; see ``pipeline/contracts/__init__.py``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.composition import load_config
from pipeline.config.plugins import SEVERAL, build, build_source
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, ReidError

FOLDER = Path(__file__).parent
FILES = {path.stem.removeprefix("test_"): path for path in FOLDER.glob("test_*.py")}
"""The test file of each kind of plug-in, by its folder in ``configs/``."""
CAMERA = "east"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what names a plug-in and its configuration."""
    group = parser.getgroup("passerby", "contract tests of Passerby's plug-ins")
    group.addoption(
        "--plugin",
        action="append",
        default=[],
        metavar="KIND=NAME",
        help=f"what to test; KIND: {', '.join(sorted(FILES))}",
    )
    group.addoption("--config-dir", action="append", default=[], metavar="DIR", help="as of passerby run")
    group.addoption("--override", action="append", default=[], metavar="KEY=VALUE", help="as of passerby run")
    group.addoption("--camera", metavar="URI", help="what --plugin source=NAME opens")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what names no kind of plug-in."""
    kinds = _kinds(config)
    if unknown := kinds - FILES.keys():
        known = ", ".join(sorted(FILES))
        raise pytest.UsageError(f"--plugin: expected KIND=NAME with one of {known}, got {', '.join(sorted(unknown))}")
    if "source" in kinds and config.getoption("--camera") is None:
        raise pytest.UsageError("--plugin source=NAME: expected --camera URI as well, which it opens")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out kinds of which no plug-in is named."""
    return True if collection_path in FILES.values() and _kind(collection_path) not in _kinds(config) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the plug-ins of its kind."""
    if "factory" in metafunc.fixturenames and metafunc.definition.path.parent == FOLDER:
        kind = _kind(metafunc.definition.path)
        chosen = [word.partition("=") for word in metafunc.config.getoption("--plugin")]
        names = [name for group, _, name in chosen if group == kind]
        metafunc.parametrize("factory", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def factory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """The constructor call of a plug-in, as a run makes it: its options are checked, and so is its ``preflight``."""
    kind, name = _kind(request.path), request.param
    option = request.config.getoption
    words = [f"--config-dir={Path(folder).expanduser().absolute()}" for folder in option("--config-dir")]
    words += ["runtime=inline", f"output_dir={tmp_path_factory.mktemp('run') / 'out'}"]
    camera = option("--camera") if kind == "source" else "rtsp://127.0.0.1/a"
    words += ["site=empty", f"site.cameras={{{CAMERA}: {_quoted(camera)}}}"]
    words += [f"{kind}=[{name}]" if kind in SEVERAL else f"{kind}={name}"]
    try:
        return _build(load_config([*words, *option("--override")]), kind, name)
    except ReidError as error:
        return pytest.fail(f"{kind}={name}: {error}", pytrace=False)


def _kind(file: Path) -> str:
    return file.stem.removeprefix("test_")


def _kinds(config: pytest.Config) -> set[str]:
    return {word.partition("=")[0] for word in config.getoption("--plugin")}


def _build(config: PipelineConfig, kind: str, name: str) -> Callable[[], Any]:
    if kind == "source":
        return build_source(CAMERA, config.site.cameras[CAMERA], config.source, allow=config.allow_plugins)
    node = getattr(config, "alerts" if kind == "alerts" else kind)
    if kind in SEVERAL:
        if name not in node:
            raise ConfigError(f"expected a YAML that begins with {name}:, got {', '.join(node)}")
        node = node[name]
    return build(node, f"{kind}.{name}" if kind in SEVERAL else kind, allow=config.allow_plugins)


def _quoted(uri: str) -> str:
    return '"' + uri.replace("\\", "\\\\").replace('"', '\\"') + '"'
