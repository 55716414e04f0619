"""The documents are right: their links, commands, choices, keys, paths and Python code exist."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from factories import make_sighting
from footage import write_clip

from pipeline.cli.main import COMMANDS
from pipeline.config.composition import load_config
from pipeline.config.schema import PipelineConfig
from pipeline.ledger import Ledger

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "connectors/**/README.md", "models/README.md", "pipeline/**/README.md")
    for path in ROOT.glob(pattern)
)
TOP_LEVEL = ("pipeline", "models", "connectors", "configs", "tests", "docs", "examples", "docker")
GROUPS = sorted(folder.name for folder in (ROOT / "configs").iterdir() if folder.is_dir())
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".ipynb"))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PLACEHOLDERS = {"mine", "NAME", "…", ""}
"""What stands for a choice of the reader's own."""

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def code_of(path: Path) -> Iterator[str]:
    """Yield what a document shows as code: blocks, then code in a line of text."""
    text = path.read_text()
    for _, block in FENCE.findall(text):
        yield block
    for inline in INLINE_CODE.findall(FENCE.sub("", text)):
        yield " ".join(inline.split())


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@every_document
def test_every_relative_link_resolves(path: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert not broken


@every_document
def test_every_command_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {word for line in re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE) for word in line.split()}
    code = "\n".join(code_of(path))
    code = code.replace("pipx runpip passerby ", "pip ")
    assert set(re.findall(r"(?<![\w=,./-])passerby ([a-z][a-z-]*)\b(?!=)", code)) <= COMMANDS.keys()
    assert set(re.findall(r"(?:^|[\s(;&])make ([a-z][a-z-]*)", code, re.MULTILINE)) <= targets


@every_document
def test_every_choice_exists(path: Path) -> None:
    unknown = []
    for group, value in re.findall(rf"(?<![\w.@/])({'|'.join(GROUPS)})=\[?([\w,…]*)", "\n".join(code_of(path))):
        known = {file.stem for file in (ROOT / "configs" / group).glob("*.yaml")}
        unknown += [f"{group}={name}" for name in value.split(",") if name not in known | PLACEHOLDERS]
    assert not unknown


@every_document
def test_every_module_and_path_exists(path: Path) -> None:
    code = "\n".join(code_of(path))
    modules = re.findall(rf"python -m ((?:{'|'.join(TOP_LEVEL)})[\w.]*)", code)
    absent = [
        module
        for module in modules
        if not any((ROOT / f"{module.replace('.', '/')}{end}").is_file() for end in (".py", "/__main__.py"))
    ]
    for file in re.findall(rf"(?<![\w./{{])((?:{'|'.join(TOP_LEVEL)})/[\w./*-]*)", code):
        if "mine" not in Path(file).stem and not any(ROOT.glob(file.rstrip("/."))):
            absent.append(file)
    assert not absent


@every_document
def test_every_key_exists(path: Path) -> None:
    if path.name == "CHANGELOG.md":
        pytest.skip("names keys of earlier versions")
    config = default_config()
    sections = [name for name, section in vars(config).items() if is_dataclass(section)]
    keys = re.findall(rf"(?<![\w./])((?:{'|'.join(sections)})(?:\.[a-z]\w*)+)(?![\w/(]|\.\w)", "\n".join(code_of(path)))
    assert not [key for key in keys if not has_key(config, key)]


@cache
def default_config() -> PipelineConfig:
    """Return what a run uses unless told otherwise."""
    return load_config(["site.cameras={east: /a/east.mp4}"])


def has_key(config: PipelineConfig, key: str) -> bool:
    """Tell whether the schema has a key; below a free dictionary every key is possible."""
    node: object = config
    for name in key.split("."):
        if not is_dataclass(node):
            return True
        if not hasattr(node, name):
            return Path(key).suffix in (".yaml", ".py", ".sqlite", ".jsonl")  # a file, not a key
        node = getattr(node, name)
    return True


@every_document
def test_python_code_compiles(path: Path) -> None:
    for language, block in FENCE.findall(path.read_text()):
        if language == "python":
            compile(block, str(path), "exec")


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_pre_commit_uses_the_versions_that_were_tested_together() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(version in constraints for hook in hooks for version in hook["additional_dependencies"])


def test_continuous_integration_runs_the_two_commands_that_people_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    runs = [step.get("run", "").split(" PYTHON=")[0] for step in workflow["jobs"]["test"]["steps"]]
    local = re.findall(r"^make \w+", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert [command for command in runs if command] == local == ["make check", "make test"]


def output_of(example: str, *arguments: object) -> str:
    """Run an example as a reader does, and return what it prints."""
    return subprocess.run(
        [sys.executable, f"examples/{example}", *map(str, arguments)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.slow
def test_the_matching_example_recognises_both_people() -> None:
    lines = output_of("match_embeddings.py").splitlines()
    assert lines[2:] == ["west/0/1 is person 2 (matched)", "west/0/2 is person 1 (matched)"]


@pytest.mark.slow
def test_the_video_example_finds_people(tmp_path: Path) -> None:
    clip = write_clip(ROOT / "connectors/synthetic/demo/north.mp4", tmp_path / "north.mp4", 30)
    assert "person 1, new: north/0/" in output_of("follow_a_video.py", clip, "detector=passerby")


@pytest.mark.slow
def test_the_ledger_example_reads_a_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(7)])
    ledger.close()
    assert output_of("read_a_ledger.py", tmp_path).startswith("person 7, no name: east\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "arguments"),
    [("follow_a_video.py", ["/absent.mp4"]), ("read_a_ledger.py", ["/absent"]), ("read_a_ledger.py", [])],
    ids=["no film", "no run", "no argument"],
)
def test_an_example_answers_wrong_input_in_one_line(example: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, f"examples/{example}", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")


@pytest.mark.slow
@pytest.mark.parametrize("notebook", [path for path in EXAMPLES if path.suffix == ".ipynb"], ids=lambda path: path.name)
def test_a_notebook_runs_from_the_first_cell_to_the_last(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "east [1]\nwest [1]\n" in done.stdout


@pytest.mark.slow
def test_the_site_of_the_documents_builds_without_a_wrong_link(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings", reason="make docs installs what it needs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "open_matcher" in (tmp_path / "api/index.html").read_text()


def test_every_example_is_named_in_the_readme() -> None:
    assert not [path for path in EXAMPLES if f"examples/{path.name}" not in (ROOT / "README.md").read_text()]
