"""How right alerts and counts are on the rendered worlds: ``python tests/benchmarks/alert_worlds.py demo easy``.

Each world is run with the zones, lines and rules of ``alert_worlds.yaml``. Then the same rules run over its ground
truth, and both are compared. The worlds other than ``demo`` are rendered first by ``passerby world benchmark NAME``.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

RULES = Path(__file__).with_suffix(".yaml")
ROOT = Path(__file__).resolve().parents[2]


def main(names: list[str]) -> None:
    """Run and score each world, those that were run before in this folder only score."""
    site = yaml.safe_load(RULES.read_text())["site"]
    places = [
        f"site.{kind}={yaml.safe_dump(site[kind], default_flow_style=True, width=10**6).strip()}"
        for kind in ("zones", "lines")
    ]
    folder = Path(tempfile.gettempdir()) / "passerby-alert-worlds"
    for name in names:
        output = folder / name
        if not (output / "summary.json").is_file():
            which = "demo" if name == "demo" else f"world_{name}"
            _do("run", "runtime=inline", f"site={which}", *places, "sink=[jsonl,mot,counts]", f"output_dir={output}")
        print(f"\n== {name}", flush=True)
        _do("alerts", "score", str(output), "--rules", str(RULES))
        _do("counts", str(output), "--score")


def _do(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pipeline.cli.main", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
