"""A gallery in FAISS: exact inner products, and above a size an inverted file that searches a part.

Reference:
    Douze et al., "The Faiss library", 2024; IndexFlatIP, GpuIndexFlatIP and IndexIVFFlat.
"""

import faiss
import numpy as np
from numpy.typing import NDArray

from models.gallery.cells import Cells
from models.gallery.prototypes import PrototypeTable
from pipeline.core import Embedding, Identity, Match
from pipeline.core.errors import ConfigError

_MAX_GPU_ROWS = 2048


class FaissGallery:
    """Known people; up to ``approximate_above`` answers as ``ExactGallery`` does, and beyond it misses a few people.

    What it answers depends on who is in it, and not on how they came there, above that size too.

    Args:
        device: cpu or cuda. The wheels for GPUs are faiss-gpu-cu12 and its kin, in place of faiss-cpu.
        threads: Of the processor; FAISS knows one number for the whole process.
        approximate_above: Number of prototypes above which a search on the processor compares only the likeliest
            part of them (``Cells``); infinity for never.

    Raises:
        ConfigError: If the device is neither, or the installed FAISS or the machine has no GPU for cuda.
    """

    def __init__(self, *, device: str, threads: int, approximate_above: float) -> None:
        self.preflight(device=device, threads=threads, approximate_above=approximate_above)
        faiss.omp_set_num_threads(threads)
        self._resources = faiss.StandardGpuResources() if device == "cuda" else None
        self._table = PrototypeTable()
        self._approximate_above = approximate_above
        self._index: faiss.Index | Cells | None = None
        self._generation = -1

    @staticmethod
    def preflight(*, device: str, threads: int, approximate_above: float) -> None:
        """Check that FAISS can use the device.

        Raises:
            ConfigError: If not.
        """
        if device not in ("cpu", "cuda"):
            raise ConfigError(f"device: expected cpu or cuda, got {device!r}")
        if threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        if not approximate_above >= 0:
            raise ConfigError(f"approximate_above: expected a number of at least 0, got {approximate_above}")
        if device == "cuda" and not hasattr(faiss, "StandardGpuResources"):
            raise ConfigError(
                "device: expected a FAISS for GPUs, got one for processors; passerby doctor --install gpu, or set "
                "gallery.device=cpu"
            )
        if device == "cuda" and faiss.get_num_gpus() == 0:
            raise ConfigError("device: expected a GPU for cuda, FAISS finds none; set gallery.device=cpu")

    def __len__(self) -> int:
        return len(self._table)

    def nearest(self, embedding: Embedding, k: int) -> list[Match]:
        """Return up to ``k`` people, ascending distance of the nearest prototype, ties by ``person_id``.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than the gallery.
        """

        def search(num_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            products, rows = self._search(embedding.vector[None], num_rows)
            found = rows >= 0
            return 1 - products[found], rows[found]

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

    def _search(self, query: NDArray[np.float32], num_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return inner products and rows, as FAISS does; on the processor of rows that are alive."""
        index = self._synchronised()
        bits = self._table.alive
        alive = faiss.IDSelectorBitmap(self._table.size, faiss.swig_ptr(bits))
        if isinstance(index, Cells):
            return index.search(query, num_rows, alive, is_exact=not self._is_large)
        parameters = faiss.SearchParameters()
        parameters.sel = alive
        products, rows = index.search(query, num_rows, params=parameters if self._resources is None else None)
        return products[0], rows[0]

    @property
    def _is_large(self) -> bool:
        return self._resources is None and self._table.num_alive > self._approximate_above

    def _synchronised(self) -> "faiss.Index | Cells":
        """Return the index after it has taken in what is new in the table.

        Cells that are no longer needed stay until the table is packed: all of them looked into, they are exact.
        """
        vectors = self._table.vectors
        index, is_outgrown = self._index, self._is_large and not isinstance(self._index, Cells)
        if index is None or self._generation != self._table.generation or is_outgrown:
            self._generation = self._table.generation
            index = self._index = self._empty_index(vectors.shape[1])
        if index.ntotal < len(vectors):
            index.add(vectors[index.ntotal :])
        return index

    def _empty_index(self, dim: int) -> "faiss.Index | Cells":
        if self._is_large:
            return Cells(dim)
        flat = faiss.IndexFlatIP(dim)
        return flat if self._resources is None else faiss.index_cpu_to_gpu(self._resources, 0, flat)
