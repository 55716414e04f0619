"""The contract tests, run on plug-ins of another package as docs/integrators.md shows it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.config.composition import load_config
from pipeline.contracts.plugin import pytest_configure
from pipeline.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/integrators.md"

SINKS = """
class MySink:
    def __init__(self, *, file: str) -> None:
        self._file = open(file, "a")

    def write(self, records) -> None:
        for record in records:
            if hasattr(record, "outcome"):
                print(record.last.captured_at, record.track_id, record.person_id, file=self._file)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class BadSink(MySink):
    def write(self, records) -> None:
        self._file.writelines(str(record.person_id) for record in records)  # a correction has none

    def close(self) -> None:
        self.flush()  # once closed, it fails
        self._file.close()
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a package of two sinks, and their YAML files."""
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package/__init__.py").touch()
    (tmp_path / "my_package/sinks.py").write_text(SINKS)
    (tmp_path / "sink").mkdir()
    for name, plugin in (("mine", "MySink"), ("bad", "BadSink")):
        text = f"{name}:\n  _target_: my_package.sinks.{plugin}\n  file: {tmp_path}/people.txt\n"
        (tmp_path / f"sink/{name}.yaml").write_text(text)
    return tmp_path


def contract(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "pipeline.contracts.plugin", "--pyargs", "pipeline.contracts"]
    command += [
        "-v",
        "-p",
        "no:cacheprovider",
        f"--config-dir={folder}",
        "--override=allow_plugins=[my_package]",
        *words,
    ]
    known = os.environ | {"PYTHONPATH": f"{ROOT}:{folder}", "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, check=False, timeout=170)


def test_a_plug_in_that_breaks_the_contract_is_told_where(package: Path) -> None:
    done = contract(package, "--plugin=sink=mine", "--plugin=sink=bad", "--plugin=sink=absent")
    assert done.returncode == 1
    told = {line.split(" ")[0].partition("::")[2]: line.split()[1] for line in done.stdout.splitlines() if "::" in line}
    assert {told[name] for name in told if name.endswith("[mine]")} == {"PASSED"}, done.stdout
    assert told["test_nothing_can_be_written[bad]"] == "PASSED"
    assert told["test_every_kind_of_record_can_be_written_flushed_and_closed[bad]"] == "FAILED"
    assert told["test_closing_twice_is_closing_once[bad]"] == "FAILED"
    assert "sink=absent: " in done.stdout


def test_the_plug_ins_of_the_integrators_guide_keep_their_contracts(tmp_path: Path) -> None:
    for block in re.findall(r"```(?:python|yaml)\n# ~/passerby/(.*?)```", GUIDE.read_text(), re.DOTALL):
        name, _, text = block.partition("\n")
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text.replace("people.txt", f"{tmp_path}/people.txt"))
    pictures = np.random.default_rng(0).integers(0, 256, (30, 24, 32, 3), np.uint8)
    np.save(tmp_path / "lab.npy", pictures)
    kinds = ("alerts", "detector", "embedder", "sink", "source")
    camera = f"--camera=arrays://{tmp_path}/lab.npy"
    done = contract(tmp_path, camera, *(f"--plugin={kind}=mine" for kind in kinds))
    assert done.returncode == 0, done.stdout[-3000:]
    assert not [kind for kind in kinds if f"test_{kind}.py" not in done.stdout]


def test_an_embedder_without_its_calibration_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "embedder").mkdir()
    (tmp_path / "embedder/mine.yaml").write_text("_target_: my_package.X\nclip_len: 8\ncrop_size_hw: [8, 4]\n")
    with pytest.raises(ConfigError, match=r"^calibration/mine\.yaml: expected what distances .*; write it beside"):
        load_config(["--config-dir", str(tmp_path), "site=empty", "embedder=mine"])


@pytest.mark.parametrize(
    ("plugins", "said"),
    [(["sinks=mine"], "expected KIND=NAME with one of alerts, detector"), (["source=file"], "expected --camera URI")],
)
def test_a_mistake_is_told(plugins: list[str], said: str) -> None:
    options = {"--plugin": plugins, "--camera": None}
    with pytest.raises(pytest.UsageError, match=said):
        pytest_configure(SimpleNamespace(getoption=options.get))


@pytest.mark.slow
def test_plug_ins_of_every_kind_are_made_from_a_configuration(package: Path) -> None:
    own = ["tracker=bytetrack", "gallery=faiss", "alerts=zone_dwell", "source=file"]  # networks take longer
    film = ROOT / "connectors/synthetic/demo/east.mp4"
    done = contract(package, *(f"--plugin={each}" for each in own), f"--camera={film}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert not [each for each in own if f"test_{each.partition('=')[0]}.py" not in done.stdout]
