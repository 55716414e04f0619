"""Short clips of real footage: people walk through the left and the right half of one video."""

from pathlib import Path

import pytest
from footage import write_clip

PUBLIC = ["detector=yolox_onnx", "embedder=omz_0288"]


@pytest.fixture(scope="session")
def clip(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames of 10 a second, 768x576, several people."""
    return write_clip(shared / "data/pets09/vtest.avi", tmp_path_factory.mktemp("clips") / "clip.mp4", 40)


@pytest.fixture
def halves(clip: Path, shared: Path) -> list[str]:
    """Overrides: the clip's halves as two cameras, with public networks on two different libraries."""
    left = f"left: {{uri: {clip}, crop_xyxy: [0, 0, 384, 576]}}"
    right = f"right: {{uri: {clip}, crop_xyxy: [384, 0, 768, 576]}}"
    return [f"site.cameras={{{left}, {right}}}", f"weights_dir={shared / 'models'}", *PUBLIC]
