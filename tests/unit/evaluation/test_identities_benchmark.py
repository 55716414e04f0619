"""The benchmark of identities takes the rules and constants of the matcher away that it names, and gives them back."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "identities"))

from ablation import ABLATIONS, RULES, changed, print_ablation
from replay import overlapping

from pipeline.association import chain, group_cues


@pytest.mark.parametrize(
    "changes", [pytest.param(made, id=label) for each in ABLATIONS.values() for label, made in each.items()]
)
def test_each_rule_and_constant_is_there_and_comes_back(changes) -> None:
    for name, change in changes:
        found: list[Any] = []
        for _ in range(2):
            with changed(name, lambda value, found=found, change=change: found.append(value) or change(value)):
                pass
        assert found[0] is found[1]
        assert change(found[0]) != found[0]


def test_a_constant_changes_where_it_was_imported_too() -> None:
    before = chain.OWN_CAMERA_S
    with changed("chain:OWN_CAMERA_S", lambda value: 2 * value):
        assert chain.OWN_CAMERA_S == group_cues.OWN_CAMERA_S == 2 * before
    assert chain.OWN_CAMERA_S == group_cues.OWN_CAMERA_S == before


def test_the_table_shows_what_the_absence_of_a_rule_costs(monkeypatch, capsys) -> None:
    monkeypatch.setitem(ABLATIONS, "rules", {"without re-clustering": RULES["re-clustering"]})
    print_ablation("rules", lambda: [overlapping("few", seed=31, minutes=2, cameras=3, people=2)])
    as_it_is, without = capsys.readouterr().out.splitlines()
    assert as_it_is.startswith("as it is")
    assert "0 of 1 sets" in as_it_is
    assert without.startswith("without re-clustering")
    assert "1 of 1 sets" in without
    assert " -0." in without


def test_an_unknown_ablation_is_refused() -> None:
    with pytest.raises(SystemExit, match="ablation: expected rules or constants, got everything"):
        print_ablation("everything", list)
