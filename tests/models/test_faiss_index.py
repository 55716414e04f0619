"""What only the FAISS gallery does."""

import faiss
import pytest

from models.gallery.faiss_index import FaissGallery
from pipeline.core.errors import ConfigError


@pytest.mark.parametrize("arguments", [{"device": "tpu", "threads": 1}, {"device": "cpu", "threads": 0}], ids=str)
def test_what_makes_no_sense_is_refused(arguments: dict) -> None:
    with pytest.raises(ConfigError):
        FaissGallery.preflight(**arguments)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0:
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match="faiss-gpu"):
        FaissGallery(device="cuda", threads=1)
