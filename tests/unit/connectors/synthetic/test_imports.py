"""Importing the renderer changes nothing, and rendering prints nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]

IMPORT_PACKAGE = """
import sys
import connectors.synthetic
print("warp" in sys.modules)
"""

IMPORT_MODULES = """
import warp
before = {name: value for name, value in vars(warp.config).items() if isinstance(value, (bool, int, str, type(None)))}
import connectors.synthetic.camera_calibration, connectors.synthetic.dataset, connectors.synthetic.source
after = {name: value for name, value in vars(warp.config).items() if name in before}
print(before == after)
"""

RENDER = """
from connectors.synthetic.world import Scenario, World
next(World(Scenario(people=2, scale=0.3), ["east"]).moments(1))
"""


def run(code: str, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WARP_CACHE_PATH": str(cache)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_importing_the_package_does_not_import_warp(tmp_path: Path) -> None:
    assert run(IMPORT_PACKAGE, tmp_path).stdout.strip() == "False"


def test_importing_the_modules_leaves_the_settings_of_warp_as_they_were(tmp_path: Path) -> None:
    assert run(IMPORT_MODULES, tmp_path).stdout.strip() == "True"


@pytest.mark.slow
def test_the_first_rendering_prints_nothing_but_a_missing_driver(tmp_path: Path) -> None:
    done = run(RENDER, tmp_path)
    assert done.stdout == ""
    assert [line for line in done.stderr.splitlines() if "CUDA driver" not in line] == []
