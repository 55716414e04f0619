"""``make weights``: finds or downloads every checkpoint of the catalogue, checks it, and prints its place."""

import os
import sys

import yaml

from models.weights.store import CATALOGUE, locate_weights
from pipeline.core.errors import WeightsError


def main() -> None:
    """Print where each checkpoint is, or why it is missing; exit with 1 if one is."""
    shared = os.environ.get("PASSERBY_SHARED", "../shared")
    missing = 0
    for name, entry in yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")).items():
        try:
            print(f"{name} ({entry['licence']}): {locate_weights(name, weights_dir=f'{shared}/models')}")
        except WeightsError as error:
            missing += 1
            print(f"error: {error}", file=sys.stderr)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
