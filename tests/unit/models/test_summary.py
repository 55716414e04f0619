"""The summary of a network as a program."""

import json

import pytest
from video_networks import video_names

from models.summary import main
from pipeline.core.errors import ConfigError


def summary_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    main(arguments)
    printed: dict[str, object] = json.loads(capsys.readouterr().out)
    return printed


def test_one_object_says_what_a_network_costs_and_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert summary_of(capsys, "model=lstrl", "num_ids=625") == {
        "parameters": 29_056_960,
        "gmacs_per_frame": pytest.approx(4.9597, abs=5e-5),
        "embedding_dim": 2048,
        "clip_len": 8,
        "crop_size_hw": [256, 128],
        "needs": "nothing",
        "distance": "cosine",
    }


def test_settings_can_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summary_of(capsys, "model=lstrl", "num_ids=625", "network.bme=false", "clip_len=4")
    assert (summary["parameters"], summary["clip_len"]) == (26_432_448, 4)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["num_ids=3"], "model="),
        (["model=nowhere"], "nowhere"),
        (["model=omz_0288"], "omz_0288"),
        (["model=lstrl", "num_ids=many"], "num_ids"),
        (["model=lstrl", "network.bme=perhaps"], "network.bme"),
        (["model=lstrl", "network.mode=local"], "mode"),
        (["model=lstrl", "network.bme_mode=far"], "bme.mode"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        main(arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in video_names() if name.endswith("_light")])
def test_what_is_called_light_has_under_four_million_parameters(capsys: pytest.CaptureFixture[str], name: str) -> None:
    summary = summary_of(capsys, f"model={name}")
    assert summary["parameters"] < 4_000_000
    assert summary["gmacs_per_frame"] < 0.5
