"""A gallery in FAISS: exact inner products, for large galleries and for GPUs.

Reference:
    Douze et al., "The Faiss library", 2024; IndexFlatIP and GpuIndexFlatIP.
"""

import faiss
import numpy as np
from numpy.typing import NDArray

from models.gallery._prototypes import PrototypeTable
from pipeline.core import Embedding, Identity, Match
from pipeline.core.errors import ConfigError

_MAX_GPU_ROWS = 2048


class FaissGallery:
    """Known people; answers as ``ExactGallery`` does.

    Args:
        device: cpu or cuda. The wheels for GPUs are faiss-gpu-cu12 and its kin, in place of faiss-cpu.
        threads: Of the processor; FAISS knows one number for the whole process.

    Raises:
        ConfigError: If the device is neither, or the installed FAISS or the machine has no GPU for cuda.
    """

    def __init__(self, *, device: str, threads: int) -> None:
        self.preflight(device=device, threads=threads)
        faiss.omp_set_num_threads(threads)
        self._resources = faiss.StandardGpuResources() if device == "cuda" else None
        self._table = PrototypeTable()
        self._index: faiss.Index | None = None
        self._generation = -1

    @staticmethod
    def preflight(*, device: str, threads: int) -> None:
        """Check that FAISS can use the device.

        Raises:
            ConfigError: If not.
        """
        if device not in ("cpu", "cuda"):
            raise ConfigError(f"device: expected cpu or cuda, got {device!r}")
        if threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        if device == "cuda" and not (hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0):
            raise ConfigError(
                "device: expected a FAISS that finds a GPU for cuda, got one that does not; "
                "install faiss-gpu-cu12 in place of faiss-cpu, or set gallery.device=cpu"
            )

    def __len__(self) -> int:
        return len(self._table)

    def nearest(self, embedding: Embedding, k: int) -> list[Match]:
        """Return up to ``k`` people, ascending distance of the nearest prototype, ties by ``person_id``.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than the gallery.
        """

        def search(num_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            products, rows = self._synchronised().search(embedding.vector[None], num_rows)
            return 1 - products[0], rows[0]

        max_rows = None if self._resources is None else _MAX_GPU_ROWS
        return self._table.nearest(embedding, k, search, max_rows=max_rows)

    def put(self, identity: Identity) -> None:
        """Add a person, or replace what is known of them.

        Raises:
            EmbeddingSpaceError: If the prototypes are of another space than the gallery.
            ShapeError: If there is none, or they have another length than the others.
        """
        self._table.put(identity)

    def drop(self, person_id: int) -> None:
        """Forget a person; unknown ones are ignored."""
        self._table.drop(person_id)

    def _synchronised(self) -> "faiss.Index":
        """Return the index after it has taken in what is new in the table."""
        vectors = self._table.vectors
        if self._index is None or self._generation != self._table.generation:
            self._generation = self._table.generation
            self._index = faiss.IndexFlatIP(vectors.shape[1])
            if self._resources is not None:
                self._index = faiss.index_cpu_to_gpu(self._resources, 0, self._index)
        if self._index.ntotal < len(vectors):
            self._index.add(vectors[self._index.ntotal :])
        return self._index
