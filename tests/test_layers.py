"""Which package may import which, and what an import must not do."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for folder in ("pipeline", "models", "connectors") for p in (ROOT / folder).rglob("*.py"))

LAYERS = [
    {"pipeline.core"},
    {"pipeline.config.plugins"},
    {"models", "pipeline.camera"},
    {"pipeline.embedding"},
    {"pipeline.association", "pipeline.alerts", "pipeline.ledger"},
    {"pipeline.counts"},
    {"connectors"},
    {"pipeline.telemetry", "pipeline.evaluation"},
    {"pipeline.runtime"},
    {"pipeline.config"},
    {"pipeline.api", "pipeline.contracts"},
    {"models.summary"},
    {"models.training"},
    {"pipeline.cli"},
    {"pipeline.run"},
]
"""Packages, lowest first: a package imports what stands before it, never a neighbour. The longest prefix decides."""

ARRAYS = {"numpy", "scipy", "cv2"}
NETWORKS = {"onnxruntime", "openvino", "openvino_telemetry", "torch", "safetensors"}
LIBRARIES: dict[str, set[str]] = {
    "pipeline.core": {"numpy"},
    "pipeline.core.serialisation": {"msgspec", "numpy"},
    "pipeline.config": {"hydra", "omegaconf", "yaml", "numpy"},
    "pipeline.config.plugins": set(),
    "pipeline.camera": ARRAYS,
    "pipeline.embedding": ARRAYS,
    "pipeline.association": ARRAYS,
    "pipeline.alerts": {"numpy", "scipy"},
    "pipeline.counts": {"numpy"},
    "pipeline.ledger": {"msgspec", "numpy", "pyarrow"},
    "pipeline.telemetry": {"numpy", "prometheus_client", "ray", "rich"},
    "pipeline.evaluation": {"numpy", "scipy", "trackeval", "faiss", "rich", "ray"},
    "pipeline.runtime": {"ray"},
    "pipeline.api": {"numpy", "supervision"},
    "pipeline.contracts": {"av", "numpy", "pytest"},
    "pipeline.cli": {"hydra", "omegaconf", "yaml", "ray", "rich", "numpy", "kafka"},
    "pipeline.cli.installation.doctor": {"av", "faiss", "kafka", "onnxruntime", "rich", "torch", "yaml"},
    "pipeline.run": set(),
    "models": ARRAYS | NETWORKS | {"httpx", "rich", "yaml"},
    "models.training": ARRAYS | NETWORKS | {"omegaconf", "onnx", "ray", "rich", "yaml"},
    "connectors": {"numpy", "av", "cv2", "httpx", "kafka", "opentelemetry", "paho", "rich", "supervision"},
    "connectors.pictures": {"numpy", "av", "cv2", "matplotlib", "supervision", "PIL"},
    "connectors.counting": {"numpy", "pyarrow", "yaml"},
    "connectors.kafka": {"numpy", "kafka", "msgspec"},
    "connectors.console": {"numpy", "cv2", "yaml", "websockets", "PIL"}
    | {"argon2", "fastapi", "itsdangerous", "pydantic", "pyotp", "starlette", "uvicorn"},
    "connectors.console.sign_in": {"authlib", "cv2", "fastapi", "httpx2", "itsdangerous", "joserfc", "numpy"}
    | {"pydantic", "pyotp", "starlette", "yaml"},
    "connectors.synthetic": {*ARRAYS, "anny", "av", "rich", "torch", "warp"},
}
"""Third-party packages that each may import. The longest prefix decides; the standard library is always allowed."""

PLUGINS = {"models.detection", "models.tracking", "models.pose", "models.reid", "models.gallery"} | {
    "connectors.sources",
    "connectors.sinks",
}
"""Folders of plug-ins: each may also import what ``pyproject.toml`` declares. MMPose is installed by hand."""
BY_HAND = {"mmengine", "mmpose"}


def declared() -> set[str]:
    """Distributions that ``pyproject.toml`` names as a dependency or in an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra, lines in project["optional-dependencies"].items() if extra != "dev" for line in lines]
    return {re.split(r"[\[<>=!~ ;]", line)[0].lower().replace("_", "-") for line in [*project["dependencies"], *extras]}


DECLARED = declared()
DISTRIBUTIONS = metadata.packages_distributions()


def is_declared(module: str) -> bool:
    """Whether a module is of a distribution that ``pyproject.toml`` names; one that is not installed has its name."""
    top = module.split(".")[0]
    return top in BY_HAND or bool({d.lower().replace("_", "-") for d in DISTRIBUTIONS.get(top, [top])} & DECLARED)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def longest_prefix(module: str, prefixes: set[str]) -> str:
    return max((p for p in prefixes if module == p or module.startswith(p + ".")), key=len, default="")


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


def wrong_imports(path: Path) -> list[str]:
    module = module_name(path)
    packages = {package for layer in LAYERS for package in layer}
    level = {package: number for number, layer in enumerate(LAYERS) for package in layer}
    own = longest_prefix(module, packages)
    allowed = LIBRARIES[longest_prefix(module, set(LIBRARIES))]
    wrong = []
    for imported in sorted(imported_modules(path)):
        other = longest_prefix(imported, packages)
        if imported.split(".")[0] in ("pipeline", "models", "connectors"):
            if other != own and level.get(other, len(LAYERS)) >= level[own]:
                wrong.append(f"{module} ({own}) must not import {imported} ({other})")
        elif longest_prefix(module, PLUGINS) and is_declared(imported):
            continue
        elif imported.split(".")[0] not in sys.stdlib_module_names and not longest_prefix(imported, allowed):
            wrong.append(f"{module} must not import {imported}")
    return wrong


def test_a_package_imports_only_lower_packages_and_its_own_libraries() -> None:
    modules = [path for path in SOURCES if module_name(path) not in ("pipeline", "connectors", "models")]
    assert not [line for path in modules for line in wrong_imports(path)]


def test_no_module_in_the_script_folder_hides_the_standard_library() -> None:
    # Only pipeline/ is ever a script folder; names below it cannot hide anything.
    assert not [path for path in (ROOT / "pipeline").glob("*.py") if path.stem in sys.stdlib_module_names]


IMPORT_ALL = """
import importlib, os, pkgutil, sys
import cv2  # sets variables of its own
import pipeline
before = dict(os.environ)
for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
    importlib.import_module(module.name)
changed = sorted(name for name, _ in set(os.environ.items()) ^ set(before.items()))
sys.exit(f"changed: {changed}" if changed else 0)
"""


def test_importing_every_module_of_the_pipeline_changes_no_environment_variable() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    imported = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr
