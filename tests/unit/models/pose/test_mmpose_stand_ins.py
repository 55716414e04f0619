"""What MMPose imports and never calls may be absent."""

import sys

import pytest

pytest.importorskip("torch")

from models.backends.import_settings import import_settings
from models.pose.mmpose_stand_ins import NoOperators


def test_an_operator_that_is_not_there_can_be_imported_and_not_called() -> None:
    with import_settings(sys.modules, **{"mmcv_without._ext": NoOperators("mmcv_without._ext")}):
        from mmcv_without._ext import nms  # type: ignore[import-not-found]

        assert hasattr(sys.modules["mmcv_without._ext"], "roi_align_forward")
    with pytest.raises(RuntimeError, match="operator nms is not installed"):
        nms()
    assert "mmcv_without._ext" not in sys.modules
