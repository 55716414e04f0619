"""How many faults put into the code do its tests notice? ``make mutants ARGS='only=pipeline/ledger sample=120'``.

mutmut changes one expression at a time (a comparison, a constant, a call), and runs the unit tests that reach it. A
mutant that leaves them green survives. The score is the share that did not. A sample is drawn by seed; ``sample=all``
takes every mutant, and ``only=pipeline/runtime,pipeline/ledger`` only these packages.

Each package has a folder of its own, ``build/mutants/ledger``, with the tests of that package alone: mutmut runs all
tests that it finds there before the first mutant. Mutants that were made stay there until the code changes.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KILLED = {1, 3, 36, 24, -24, 152, 255}
"""Exit codes of a mutant's tests that mean: noticed (a failed test, an error, a test that never ended)."""
NO_TEST = 33
PACKAGES = {
    "pipeline/camera": ["tests/unit/camera"],
    "pipeline/alerts": ["tests/unit/alerts", "tests/contracts/test_alert_rule_contract.py"],
    "pipeline/ledger": ["tests/unit/ledger"],
    "pipeline/runtime": ["tests/unit/runtime"],
}
"""By package: the tests that have to notice."""
NOT_CHANGED = ["pipeline/runtime/cluster.py", "pipeline/runtime/actor_ref.py"]
"""Ray's own side needs a cluster; tests/system holds it."""
NEEDED = ["pipeline", "models", "connectors", "configs", "pyproject.toml", "tests/conftest.py", "tests/support"]
"""What tests need besides themselves."""


def main(words: list[str]) -> int:
    """Draw, run and report; exit code 1 if a package is below 85 %, 2 if mutants could not be run."""
    options = dict(word.split("=", 1) for word in words)
    sample, seed = options.get("sample", "400"), int(options.get("seed", "1"))
    packages = options.get("only", ",".join(PACKAGES)).split(",")
    if unknown := {*packages} - PACKAGES.keys():
        print(f"only: expected some of {', '.join(PACKAGES)}, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    lowest, rows, survivors = 1.0, [], []
    for package in packages:
        folder = prepared(package)
        run_mutmut(folder, "no.such.mutant", is_quiet=True)  # the mutants are made, and none is run
        names = drawn(all_mutants(folder), sample if sample == "all" else str(int(sample) // len(packages)), seed)
        run_mutmut(folder, *names)
        codes = all_mutants(folder)
        if not names or any(codes[name] is None for name in names):
            print(f"{package}: some mutants were not run: mutmut says above why", file=sys.stderr)
            return 2
        found = Counter("noticed" if codes[name] in KILLED else "survived" for name in names)
        lowest = min(lowest, found["noticed"] / len(names))
        rows.append(f"{package:<18}{len(names):>8}{found['noticed']:>9}{found['noticed'] / len(names):>8.1%}")
        survivors += sorted((name, codes[name]) for name in names if codes[name] not in KILLED)
    print(f"{'package':<18}{'mutants':>8}{'noticed':>9}{'score':>8}", *rows, sep="\n")
    for name, code in survivors:
        print(f"survived{' (no test reaches it)' if code == NO_TEST else ''}: {name}")
    return lowest < 0.85


def prepared(package: str) -> Path:
    """Return a folder in which mutmut changes one package: links to the code, and to the tests that have to notice."""
    folder = ROOT / "build" / package.replace("pipeline", "mutants")
    for name in [*NEEDED, *PACKAGES[package]]:
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    shutil.rmtree(folder / "mutants/tests", ignore_errors=True)  # mutmut renews the code by itself
    settings = {
        "source_paths": ["pipeline"],
        "only_mutate": [f"{package}/*"],
        "do_not_mutate": NOT_CHANGED,
        "also_copy": ["models", "connectors", "configs"],
        "pytest_add_cli_args": ["-n", "0", "-q", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": PACKAGES[package],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in settings.items()]
    switches = "use_setproctitle = false\ntrack_dependencies = false\nuse_git_change_detection = false\n"
    (folder / "setup.cfg").write_text("[mutmut]\n" + switches + "".join(lines))
    return folder


def run_mutmut(folder: Path, *names: str, is_quiet: bool = False) -> None:
    """Run mutmut over these mutants of a folder; quietly, for names that no mutant has."""
    shared = os.environ.get("PASSERBY_SHARED", str(ROOT.parent / "shared"))
    own = {"PASSERBY_SHARED": shared, "CI": "1"}  # Hypothesis draws the same examples for each mutant
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run([mutmut, "run", *names], cwd=folder, env=environment, check=False, capture_output=is_quiet)


def all_mutants(folder: Path) -> dict[str, int | None]:
    """Return the exit code of every mutant that was made; None where it was not run yet."""
    found: dict[str, int | None] = {}
    for path in sorted((folder / "mutants/pipeline").rglob("*.meta")):
        found |= json.loads(path.read_text())["exit_code_by_key"]
    return found


def drawn(mutants: dict[str, int | None], sample: str, seed: int) -> list[str]:
    """Return the names of a sample."""
    names = sorted(mutants)
    return names if sample == "all" else random.Random(seed).sample(names, min(len(names), int(sample)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
