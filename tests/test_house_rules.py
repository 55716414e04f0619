"""Rules that matter are tests: size of files, names, the error tree, what the repository holds."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import pipeline.core.errors as errors
from pipeline.core.errors import ReidError

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted(p for folder in ("pipeline", "models", "connectors") for p in (ROOT / folder).rglob("*.py"))
PLUGIN_FOLDERS = {
    "models/detection": ("Detector", "detector"),
    "models/tracking": ("Tracker", "tracker"),
    "models/pose": ("PoseEstimator", "pose"),
    "models/reid": ("Embedder", "embedder"),
    "models/gallery": ("Gallery", "gallery"),
    "pipeline/alerts/rules": ("AlertRule", "alerts"),
    "connectors/sources": ("Source", "source"),
    "connectors/sinks": ("Sink", "sink"),
}
"""Where plug-ins are: what they must be, and where the YAMLs are that name them."""


def classes_of(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]


SUFFIX = {"PoseEstimator": "Estimator", "AlertRule": "Rule"}
NOT_IN_YAML = {
    "connectors.sources.memory.MemorySource": "its frames are Python objects",
}
PLUGINS = [
    (f"{folder}/{path.stem}".replace("/", ".") + f".{node.name}", group)
    for folder, (protocol, group) in PLUGIN_FOLDERS.items()
    for path in sorted((ROOT / folder).glob("*.py"))
    for node in classes_of(path)
    if node.name.endswith(SUFFIX.get(protocol, protocol))
]
"""Plug-ins by their names, which end as their Protocol's does, and the group of their YAMLs."""


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).exists()]


def test_a_file_has_at_most_400_lines_and_a_network_600() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in [*CODE, *(ROOT / "tests").rglob("*.py")]}
    assert not {path: n for path, n in lines.items() if n > (600 if path.parent.name == "networks" else 400)}


def test_a_folder_has_at_most_22_files() -> None:
    files = Counter(path.parent for path in CODE)
    assert not {folder: n for folder, n in files.items() if n > 22}


def test_no_file_is_named_for_nothing() -> None:
    assert not {path.stem.strip("_") for path in CODE} & {"utils", "common", "helpers", "misc", "base", "manager"}


def test_no_two_files_of_tests_have_one_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]  # pytest imports each by its bare name
    assert sorted(names) == sorted(set(names))


def test_the_error_tree_is_drawn_as_it_is() -> None:
    drawn = dict.fromkeys(re.findall(r"(?:\+-- |    )(\w+Error)$", errors.__doc__ or "", re.MULTILINE))
    real = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ReidError)}
    assert set(drawn) == real
    parents: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"^    ((?:\|   )*)(?:\+-- )?(\w+Error)$", line):
            depth = len(match[1]) // 4 + ("+--" in line)
            parents[depth:] = [match[2]]
            if depth:
                assert getattr(errors, match[2]).__bases__ == (getattr(errors, parents[depth - 1]),)


@pytest.mark.parametrize(("target", "group"), [plugin for plugin in PLUGINS if plugin[0] not in NOT_IN_YAML], ids=str)
def test_every_plug_in_is_named_by_a_yaml(target: str, group: str) -> None:
    texts = [path.read_text() for path in (ROOT / "configs" / group).glob("*.yaml")]
    assert any(f"_target_: {target}\n" in text for text in texts), f"no YAML in configs/{group} names {target}"


def test_the_repository_stays_small_enough_for_ray_to_ship() -> None:
    assert sum(path.stat().st_size for path in tracked_files()) < 40e6


def test_no_file_of_the_repository_is_a_pickle() -> None:
    assert not [path for path in tracked_files() if path.suffix in {".pkl", ".pickle", ".pt", ".pth"}]
