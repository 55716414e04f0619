"""Cost of the ledger per tracklet: PYTHONPATH=.:tests/support python tests/benchmarks/ledger_bench.py."""

import tempfile
import time
from pathlib import Path

import numpy as np
from factories import make_embedding, make_path, make_sighting

from pipeline.core import Embedding
from pipeline.ledger import Ledger
from pipeline.runtime.reducer import Window, entry_of

NUM_WINDOWS, NUM_PER_WINDOW, DIM = 500, 4, 256
NUM_TRACKLETS = NUM_WINDOWS * NUM_PER_WINDOW


def make_embeddings() -> list[Embedding]:
    """Return tracklets of three seconds at 25 frames per second."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(NUM_TRACKLETS, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [make_embedding(None, n, make_path(75 * n, 75, fps=25.0), vectors[n]) for n in range(NUM_TRACKLETS)]


def main() -> None:
    embeddings = make_embeddings()
    sightings = [make_sighting(1, part=e.part, path=e.path) for e in embeddings]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        num_bytes = 0
        for content in ("events only", "events and inputs"):
            began = time.perf_counter()
            for start in range(0, NUM_TRACKLETS, NUM_PER_WINDOW):
                rows = slice(start, start + NUM_PER_WINDOW)
                entry = None if content == "events only" else entry_of(Window(1.0, embeddings[rows]))
                num_bytes += len(entry[1]) if entry else 0
                ledger.append(sightings[rows], entry=entry)
            print(f"{content}: {(time.perf_counter() - began) / NUM_TRACKLETS * 1e6:.0f} µs per tracklet")
        print(f"inputs: {num_bytes / NUM_TRACKLETS:.0f} bytes per tracklet")
        ledger.close()


if __name__ == "__main__":
    main()
