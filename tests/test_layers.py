"""Who may import whom (README, "Layers"), and no module that hides one of the standard library."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for folder in ("pipeline", "models", "connectors") for p in (ROOT / folder).rglob("*.py"))

ARRAYS = {"numpy", "scipy", "cv2"}
NETWORKS = {"onnxruntime", "openvino", "openvino_telemetry", "torch", "safetensors"}

# The longest matching prefix decides. Standard library and the layer itself are always allowed.
MAY_IMPORT: dict[str, set[str]] = {
    "pipeline.core": {"numpy"},
    "models": {
        "pipeline.core",
        *ARRAYS,
        *NETWORKS,
        *("faiss", "httpx", "mmengine", "mmpose", "rich", "supervision", "trackers", "ultralytics", "yaml"),
    },
    # Nothing but itself may import it: running the line needs none of its packages.
    "models.training": {
        *("pipeline.core", "pipeline.evaluation", "pipeline.stages", "pipeline.build", "pipeline.config", "models"),
        *ARRAYS,
        *NETWORKS,
        *("omegaconf", "onnx", "rich", "yaml"),
    },
    # The same on a cluster.
    "models.training.on_ray": {"pipeline.core", "pipeline.actors.cluster", "models", "ray", "torch"},
    # A program of its own: it reads the configuration as the line does.
    "models.summary": {"pipeline.core", "pipeline.build", "pipeline.config", "models", "torch"},
    "connectors": {"pipeline.core", "pipeline.ledger", "numpy", "av", "cv2", "httpx", "kafka", "rich", "supervision"},
    "connectors.open_telemetry": {"connectors", "pipeline.core", "opentelemetry"},
    # Programs of their own, beside the line; they read the same configuration.
    "connectors.kafka_publish": {"connectors", "pipeline.core", "pipeline.build", "pipeline.config", "yaml"},
    "connectors.alerts": {"connectors", "pipeline.core", "pipeline.config", "kafka", "rich"},
    "connectors.console": {
        *("pipeline.core", "pipeline.ledger", "pipeline.build", "pipeline.stages", "connectors._film"),
        *("numpy", "cv2", "yaml", "websockets", "PIL"),
        *("argon2", "fastapi", "itsdangerous", "pydantic", "starlette", "uvicorn"),
    },
    "connectors.world": {"pipeline.core", *ARRAYS, "anny", "av", "rich", "torch", "warp"},
    "pipeline.packing": {"pipeline.core", "numpy", "msgspec"},
    "pipeline.stages": {"pipeline.core", "pipeline.packing", *ARRAYS},
    "pipeline.alerts": {"pipeline.core", "pipeline.packing", "numpy", "scipy"},
    "pipeline.flow": {"pipeline.core"},
    "pipeline.watermark": {"pipeline.core"},
    "pipeline.ledger": {"pipeline.core", "pipeline.packing", "numpy", "pyarrow"},
    "pipeline.evaluation": {"pipeline.core", "numpy", "scipy", "trackeval"},
    # Programs of their own: the match stage without a line, and what a ledger tells of a place.
    "pipeline.evaluation.simulation": {
        *("pipeline.core", "pipeline.stages", "pipeline.ledger", "pipeline.evaluation", "models.gallery"),
        *ARRAYS,
        *("faiss", "rich"),
    },
    "pipeline.evaluation.determinism": {"ray"},
    "pipeline.evaluation.walks": {"pipeline.core", "pipeline.stages", "pipeline.ledger"},
    "pipeline.telemetry": {"pipeline.core", "ray", "rich"},
    "pipeline.actors": {
        *("pipeline.core", "pipeline.stages", "pipeline.flow", "pipeline.watermark", "pipeline.ledger"),
        "pipeline.packing",
        *("pipeline.telemetry", "ray"),
    },
    "pipeline.config": {"pipeline.core", "hydra", "omegaconf", "yaml"},
    "pipeline.build": {"pipeline.core"},
    # The program: it may know all of the pipeline, and no plug-in.
    "pipeline": {"pipeline", "hydra", "omegaconf", "yaml", "ray", "rich", "numpy"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    return max((layer for layer in MAY_IMPORT if module == layer or module.startswith(layer + ".")), key=len)


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


def foreign_imports(path: Path) -> list[str]:
    layer = layer_of(module_name(path))
    allowed = MAY_IMPORT[layer] | {layer}
    return [
        f"{module_name(path)} ({layer}) must not import {module}"
        for module in sorted(imported_modules(path))
        if module.split(".")[0] not in sys.stdlib_module_names
        and (
            not any(module == name or module.startswith(name + ".") for name in allowed)
            or (module.startswith("models.training") and not layer.startswith("models.training"))
        )
    ]


def test_imports_stay_inside_the_layer() -> None:
    assert not [line for path in SOURCES for line in foreign_imports(path)]


def test_no_module_in_the_script_folder_hides_the_standard_library() -> None:
    # Only pipeline/ is ever a script folder; names below it cannot hide anything.
    assert not [path for path in (ROOT / "pipeline").glob("*.py") if path.stem in sys.stdlib_module_names]
