"""A factory that is sent to a process which cannot import it harms its caller alone."""

import pickle
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.runtime.cameras.packed import Packed


def test_what_cannot_be_imported_is_told_by_its_key_when_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packed_plug_in.py").write_text("def make(number): return 2 * number\n")
    monkeypatch.syspath_prepend(tmp_path)
    from packed_plug_in import make  # type: ignore[import-not-found]

    sent = pickle.dumps([Packed("site.cameras.east", make), "what else is sent"])
    assert pickle.loads(sent)[0](3) == 6
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, "packed_plug_in")
    packed, other = pickle.loads(sent)
    assert other == "what else is sent"
    with pytest.raises(ConfigError, match=r"^site\.cameras\.east: .* got ModuleNotFoundError: .*packed_plug_in"):
        packed(3)
