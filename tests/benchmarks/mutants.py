"""How many faults put into the code do its tests notice? ``make mutants ARGS='sample=400 seed=1'``.

mutmut changes one expression at a time (a comparison, a constant, a call) in camera, alerts, ledger and runtime, and
runs the unit tests that reach it. A mutant that leaves them green survives. The score is the share that did not. A
sample is drawn by seed, the same number of mutants from each package; ``sample=all`` takes every mutant, and
``packages=runtime,ledger`` only these packages.
"""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KILLED = {1, 3, 36, 24, -24, 152, 255}
"""Exit codes of a mutant's tests that mean: noticed (a failed test, an error, a test that never ended)."""
NO_TEST = 33
PACKAGES = ("camera", "alerts", "ledger", "runtime")


def main(words: list[str]) -> int:
    """Draw, run and report; exit code 1 if a package is below 85 %, 2 if mutants could not be run."""
    options = dict(word.split("=", 1) for word in words)
    sample, seed = options.get("sample", "400"), int(options.get("seed", "1"))
    packages = options.get("packages", ",".join(PACKAGES)).split(",")
    # A name that no mutant has: the mutants are made, and none is run.
    run_mutmut("no.such.mutant")
    names = drawn(all_mutants(), packages, sample, seed)
    run_mutmut(*names)
    codes = all_mutants()
    if any(codes[name] is None for name in names):
        print("some mutants were not run: mutmut says above why", file=sys.stderr)
        return 2
    print(f"{'package':<10}{'mutants':>8}{'noticed':>9}{'score':>8}")
    lowest = 1.0
    for package in packages:
        mine = [codes[name] for name in names if name.startswith(f"pipeline.{package}.")]
        noticed = sum(code in KILLED for code in mine)
        lowest = min(lowest, noticed / max(len(mine), 1))
        print(f"{package:<10}{len(mine):>8}{noticed:>9}{noticed / max(len(mine), 1):>8.1%}")
    for name in sorted(name for name in names if codes[name] not in KILLED):
        print(f"survived{' (no test reaches it)' if codes[name] == NO_TEST else ''}: {name}")
    print("exit codes:", dict(Counter(codes[name] for name in names)))
    return lowest < 0.85


def run_mutmut(*names: str) -> None:
    """Run mutmut over these mutants, in the repository's root."""
    subprocess.run([Path(sys.executable).with_name("mutmut"), "run", *names], cwd=ROOT, check=False)


def all_mutants() -> dict[str, int | None]:
    """Return the exit code of every mutant that was made; None where it was not run yet."""
    found: dict[str, int | None] = {}
    for path in sorted((ROOT / "mutants/pipeline").rglob("*.meta")):
        found |= json.loads(path.read_text())["exit_code_by_key"]
    return found


def drawn(mutants: dict[str, int | None], packages: list[str], sample: str, seed: int) -> list[str]:
    """Return the names of a sample, the same number of each package."""
    rng, names = random.Random(seed), []
    for package in packages:
        of_package = sorted(name for name in mutants if name.startswith(f"pipeline.{package}."))
        count = len(of_package) if sample == "all" else int(sample) // len(packages)
        names += rng.sample(of_package, min(len(of_package), count))
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
