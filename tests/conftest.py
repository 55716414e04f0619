"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from kafka_broker import Broker

ROOT = Path(__file__).resolve().parents[1]

pytest.register_assert_rewrite("pipeline.contracts")

# AMX kernels of torch 2.13 read uninitialised memory in narrow strided bfloat16 convolutions: now and then, NaN.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")

# A user names footage and weights by these two; here they are those of the development material, where it is.
SHARED = Path(os.environ.get("PASSERBY_SHARED", ROOT.parent / "shared")).resolve()
if (SHARED / "models").is_dir():
    os.environ.setdefault("PASSERBY_WEIGHTS", str(SHARED / "models"))
    os.environ.setdefault("PASSERBY_PETS09", str(SHARED / "data/pets09"))

# Plain pytest tries each invariant a little, `make test` hard. In CI a change is judged by what it changed, not by what
# chance draws that day; everybody's own runs go on searching.
settings.register_profile("quick", max_examples=10, deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=60)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, help="folder to write pictures of the operator's page to")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Plain pytest takes every core; what is asked for runs in this process, where a debugger can stop it."""
    is_plain = config.args_source is pytest.Config.ArgsSource.TESTPATHS and "-m" not in config.invocation_params.args
    return None if is_plain else 0


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    """The folder that screenshots are wanted in; None where they are not."""
    folder: Path | None = request.config.getoption("--screenshots")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of footage and weights for development; skips where it is absent."""
    if not (SHARED / "models").is_dir():
        pytest.skip(f"no development material: set PASSERBY_SHARED (looked in {SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A Kafka broker, of the kind that the test is run with; the topics of earlier tests are in it."""
    with Broker(kind=getattr(request, "param", None), is_guarded=True) as running:
        yield running
