"""Every code block of the documents runs, in the order of its document, as a reader would run it.

A document has a folder of its own: the files of the checkout, recordings and networks under the names that documents
use, and ``outputs/RUN``, which ten seconds of the demo left. ``documented_command.py`` says what is shortened.
``document_blocks.py`` says how a block tells what it needs; without that, its commands are checked and not run.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
import yaml
from document_blocks import DOCUMENTS, NEEDS, ROOT, Block, blocks_of
from footage import write_clip
from kafka_broker import Broker
from running import environment, run
from tiny_networks import write_reid_onnx, write_yolo_onnx

from pipeline.config.composition import load_config

LANGUAGES = ("sh", "python", "yaml", "toml", "text")
CHECKOUT = ("configs", "connectors", "constraints.txt", "docker", "examples", "Makefile", "models", "pipeline", "tests")
OF_THE_READER = re.compile(r"(?<![\w.~/])/(a|films|data|tmp)/")
"""Folders that documents show; here they are in the folder of the test."""
TOOLS = ("passerby", "python", "make", "pytest")
ELSEWHERE = ("pip ", "pipx ", "uv ", "python3 -m venv", ". .venv", "docker ", "torchrun ", "ray ")
"""Commands that are not run here: test_install.py runs those that install, test_deployment.py looks at docker/."""
BROKER = "127.0.0.1:9092"
TIMEOUT_S = 600.0
HOURS_S = 3600.0

BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]

pytestmark = pytest.mark.timeout(1200)


def documents_with(need: str | None) -> list[Path]:
    """Return the documents with a block that is run here and has this need; None: any block that is run here."""
    blocks = [block for block in BLOCKS if block.language in ("sh", "python") and block.run_by is None]
    return list(dict.fromkeys(block.document for block in blocks if need is None or need in block.needs))


def for_each_document(need: str | None) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", documents_with(need), ids=lambda path: str(path.relative_to(ROOT)))


def for_each_block(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.name)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reader has: recordings and networks."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "films").mkdir()
    for camera in ("east", "west", "north"):
        write_clip(ROOT / f"connectors/synthetic/demo/{camera}.mp4", folder / f"films/{camera}.mp4", 20)
    write_reid_onnx(folder / "films/osnet.onnx")
    write_yolo_onnx(folder / "films/yolo11n.onnx")
    shutil.copy(certifi.where(), folder / "films/cameras.pem")
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of ten seconds of the demo left."""
    folder = tmp_path_factory.mktemp("finished") / "RUN"
    sinks = "sink=[jsonl,mot,annotated_video]"
    done = run(["runtime=inline", "source.file.seconds=10", sinks, f"output_dir={folder}"], timeout_s=300)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def place(tmp_path: Path, material: Path) -> Path:
    """The folder in which a document's blocks run."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for entry in CHECKOUT:
        (folder / entry).symlink_to(ROOT / entry)
    shutil.copy(ROOT / "pyproject.toml", folder)  # pytest takes its root from where this file really is
    for name in ("a", "films"):
        (tmp_path / name).symlink_to(material / "films")
    for mode in ("do", "check"):
        (tmp_path / "bin" / mode).mkdir(parents=True)
        for tool in TOOLS:
            run_tool = f'{sys.executable} {ROOT}/tests/support/documented_command.py {mode} {tool} "$@"'
            file = tmp_path / "bin" / mode / tool
            file.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}:$PYTHONPATH" exec {run_tool}\n')
            file.chmod(0o755)
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    return folder


@pytest.fixture
def used_place(place: Path, finished_run: Path) -> Path:
    """The folder, with a run in it."""
    shutil.copytree(finished_run, place / "outputs/RUN")
    return place


def run_blocks(document: Path, place: Path, need: str | None, servers: str = BROKER) -> None:
    """Run the blocks that need this and nothing else. Where it is None, the others are checked.

    What takes minutes may go on with what blocks without a need have left, so these run as well.
    """
    exports: list[str] = []  # the reader stays in one terminal
    for block in blocks_of(document):
        if block.run_by is not None:
            continue
        can_run = block.needs <= {need} if need in (None, "minutes") else block.needs == {need}
        if block.file is not None:
            path = place.parent / "home" / block.file.removeprefix("~/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)
        elif block.language == "python" and can_run:
            run_here(block, place, [sys.executable, "-c", f"{block.given}\n{here(block.code, place)}"], "do")
        elif block.language == "sh" and (can_run or need is None):
            lines = here(block.code, place).replace(BROKER, servers).splitlines()
            code = "\n".join(exports + [f": {line}" if line.startswith(ELSEWHERE) else line for line in lines])
            exports += [line for line in lines if line.startswith("export ")]
            run_here(block, place, ["bash", "-euo", "pipefail", "-c", code], "do" if can_run else "check", servers)


def here(code: str, place: Path) -> str:
    """Return code with the reader's folders in the folder of the test."""
    return OF_THE_READER.sub(rf"{place.parent}\g<0>", code).replace(
        "{…}", f"{{east: {place.parent}/a/east.mp4, west: {place.parent}/a/west.mp4}}"
    )


def run_here(block: Block, place: Path, command: list[str], mode: str, servers: str = BROKER) -> None:
    """Run a command in the document's folder; it must end with exit code 0."""
    address = {} if servers == BROKER else {"KAFKA_BOOTSTRAP_SERVERS": servers}
    known = environment(
        **address,
        HOME=str(place.parent / "home"),
        PATH=f"{place.parent}/bin/{mode}:/usr/bin:/bin",
        PYTHONPATH=str(ROOT) if block.language == "python" else "",
    )
    process = subprocess.Popen(
        command,
        cwd=place,
        env=known,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=HOURS_S if "minutes" in block.needs else TIMEOUT_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{block.name}: exit code {process.returncode}\n{command[-1]}\n{output}"


@pytest.mark.slow
@for_each_document(None)
def test_the_blocks_of_a_document_run(document: Path, used_place: Path) -> None:
    run_blocks(document, used_place, None)


@pytest.mark.kafka
@for_each_document("broker")
def test_the_blocks_with_a_broker_run(document: Path, place: Path, broker: Broker) -> None:
    run_blocks(document, place, "broker", broker.servers)


@pytest.mark.nightly
@pytest.mark.timeout(HOURS_S)
@for_each_document("minutes")
def test_the_blocks_that_take_minutes_run(document: Path, used_place: Path) -> None:
    run_blocks(document, used_place, "minutes")


@for_each_block(BLOCKS)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.language in LANGUAGES
    assert block.needs <= NEEDS.keys()
    assert block.run_by is None or block.document.name in (ROOT / block.run_by).read_text()


@for_each_block([block for block in BLOCKS if block.language == "yaml" and block.file is None])
def test_keys_of_a_site_are_accepted(block: Block, tmp_path: Path) -> None:
    keys = {"cameras": dict.fromkeys(("east", "west", "gate"), "rtsp://host/s")} | yaml.safe_load(block.code)
    if keys.keys() & {"sink", "image"}:
        pytest.skip("keys of a sink or of the Helm chart, not of a site")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/documented.yaml").write_text(yaml.safe_dump(keys))
    load_config(["site=documented", "--config-dir", str(tmp_path)])
