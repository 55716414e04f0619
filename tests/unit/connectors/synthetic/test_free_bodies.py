"""Only the freely licensed parts of anny are used."""

import re
from pathlib import Path

import pytest

from connectors.synthetic.people.free_bodies import check_free
from pipeline.core.errors import ConfigError

EXPORT = Path(__file__).resolve().parents[4] / "connectors" / "synthetic" / "people" / "export_body.py"


@pytest.mark.parametrize(
    ("topology", "rig"), [("smpl", "smpl"), ("smplx", "smplx"), ("smplh", "anny"), ("anny", "smplx"), ("soma", "anny")]
)
def test_topologies_and_rigs_with_files_for_non_commercial_use_are_refused(topology: str, rig: str) -> None:
    with pytest.raises(ConfigError, match="the free ones"):
        check_free(topology, rig)


def test_annys_own_topology_and_rig_are_accepted() -> None:
    check_free("anny", "anny")


def test_a_model_of_anny_is_made_only_behind_the_guard() -> None:
    code = EXPORT.read_text(encoding="utf-8")
    made = [found.start() for found in re.finditer(r"anny\.Anny\(", code)]
    assert len(made) == 1
    assert code.index("check_free(topology, rig)") < made[0]
    # No other part of anny downloads files.
    assert "noncommercial" not in code


@pytest.mark.slow
def test_a_model_that_is_not_free_is_refused_before_any_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("anny")
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    from connectors.synthetic.people.export_body import load_anny

    with pytest.raises(ConfigError, match="the free ones"):
        load_anny("smplx", "smplx")
    assert not list(tmp_path.iterdir())
