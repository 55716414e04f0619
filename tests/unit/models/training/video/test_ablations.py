"""Every ablation of every paper learns for a step; a miniature MARS is learnt from and scored as each paper does."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from video_datasets import write_attributes, write_mars
from video_networks import make_clips, make_network

from models.reid.networks.asanet import AsaNet
from models.reid.networks.baseline import Baseline
from models.reid.networks.ctl import Ctl
from models.reid.networks.lstrl import Lstrl
from models.reid.networks.rapa import Rapa
from models.reid.networks.stca import Stca
from models.training.train import main as train
from models.training.video.evaluate import main as score
from models.training.video.export import export
from models.training.video.objective import Objective
from models.training.video.recipe import load_recipe
from pipeline.core.errors import ConfigError

KINDS = {"rapa": Rapa, "lstrl": Lstrl, "stca": Stca, "asanet": AsaNet, "ctl": Ctl, "baseline": Baseline}
BRANCHES = ("identity", "id_relevant", "id_irrelevant")
SUBSETS = [list(some) for count in (1, 2, 3) for some in itertools.combinations(BRANCHES, count)]
NETWORKS: dict[str, list[dict[str, Any]]] = {
    "rapa": [
        # Table 1, a to f, then Table 2.
        {"branches": ["global"], "reduce_global": False, "pe": False},
        {"ta": False, "pe": False, "qe": False},
        {"pe": False, "qe": False},
        {"qe": False},
        {"branches": ["local"]},
        *({"gfe": "softmax_conv"}, {"att_kernel": 3}, {"qe_grad": "none"}, {"score_sigmoid": True}),
        *({"relation_bn": "separate"}, {"last_stride": 1}, {"reduction": 8}, {"cell_mean": True}),
    ],
    "lstrl": [
        *({"mae": False, "bme": False}, {"bme": False}, {"mae": False}),
        *({"granularities": [one for one in (1, 2, 3, 4) if one != without]} for without in (1, 2, 3, 4)),
        *({"bme_mode": "local"}, {"bme_direction": "forward"}, {"bme_mode": "local", "bme_direction": "forward"}),
        *({"bme_boundary": "zero"}, {"bme_boundary": "circular"}, {"order": "serial"}, {"bme_share_psi": True}),
        *({"mae_scale": "root"}, {"mae_scale": "mean"}, {"mae_init_scale": 0.1}, {"init_scale": 0.1}),
        {"insert_after": ["layer1"]},
    ],
    "stca": [
        *({"mode": mode} for mode in ("2d", "3d", "concat", "stca")),
        *({"fuse_identity": False, "fuse_l2norm": False}, {"temperature": 1.0}, {"crop_size_hw": (96, 32)}),
    ],
    "asanet": [
        *({"branches": some, "fuse_attr": False} for some in SUBSETS),
        *({"fusion": fusion, "asre": asre} for fusion in "ab" for asre in (False, True)),
        {"fusion": "a", "branches": ["identity", "id_relevant"]},
        *({"asre_mask_act": "sigmoid"}, {"attr_channels": "quarter"}, {"pool": "gem"}),
        *({"non_local": "none"}, {"non_local": "half"}),
    ],
    "ctl": [
        *({"graph": False}, {"tau": 1, "csgcl": "none"}, {"csgcl": "add"}, {"csgcl": "none"}),
        *({"topology": topology} for topology in ("p", "p+m", "p+m+c")),
        *({"tau": 5}, {"num_layers": 1}, {"num_layers": 3}, {"csgcl_layers": 2}),
        *({"fuse_scales": ["s3"]}, {"fuse_scales": ["s1", "s3"]}),
        *({"part_pool": "mean", "heatmap_beta": 1.0, "degree": "clamp"}, {"context_bn": True}, {"feat": "pre"}),
        *({"heatmap_resample": "maxpool"}, {"heatmap_peak": "one"}, {"cell_mean": True}),
    ],
    "baseline": [{}, {"last_stride": 2}, {"num_relevant": 41, "num_irrelevant": 11}],
}
RECIPES: list[tuple[str, str, dict[str, Any]]] = [
    ("rapa", "rapa_literal", {}),
    ("rapa", "rapa", {"frame_distance": 0.0}),
    ("stca", "stca_literal", {}),
    ("stca", "stca", {"metric": "euclidean"}),
    ("asanet", "asanet_pmi", {}),
    ("asanet", "asanet_pmi", {"pose_sign": -1}),
    ("asanet", "asanet_literal", {}),
    ("asanet", "asanet", {"attributes": 0.0}),
    ("asanet", "asanet", {"attribute_reduction": "sum"}),
    ("asanet", "asanet", {"attribute_reduction": "sum_of_group_means"}),
    ("asanet", "asanet", {"include_self": True}),
    ("ctl", "ctl", {"diversity": 0.0}),
    ("lstrl", "lstrl", {"margin": None, "smoothing": 0.1}),
    ("baseline", "asanet", {"attributes": 0.0}),
]
CASES = [(model, model, {}, changes) for model, all_changes in NETWORKS.items() for changes in all_changes]
CASES += [(model, recipe, changes, {}) for model, recipe, changes in RECIPES]
TINY = 1 / 16
PEOPLE = torch.tensor([0, 0, 1, 1])
LABELS = {"id_relevant": torch.eye(41)[[3, 3, 7, 7]], "id_irrelevant": torch.eye(11)[[1, 2, 1, 2]]}


def take_step(
    model: str, recipe: str, recipe_changes: dict[str, Any], changes: dict[str, Any], labels: dict[str, torch.Tensor]
) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """Train a tiny network for a step on four clips of two people; return it and the parts of its loss."""
    given = {"width_mult": TINY, "clip_len": 2, "num_ids": 2} | changes
    network = make_network(KINDS[model], **given).train()
    chosen = load_recipe(
        recipe, **{"attributes": 1.0 if model == "baseline" else load_recipe(recipe).attributes} | recipe_changes
    )
    dim = network.necks[0].norm.num_features if hasattr(network, "necks") else network.vector_dim
    objective = Objective(chosen, num_ids=2, feature_dim=dim)
    learnt = [*network.parameters(), *objective.parameters()]
    optimiser = torch.optim.Adam(learnt, lr=1e-3)
    clips = make_clips(4, 2, crop_hw=given.get("crop_size_hw", (64, 32)), needs=network.needs)
    parts = objective(network(clips), PEOPLE, labels)
    parts["loss"].backward()
    optimiser.step()
    return network, parts


def name_of(case: object) -> str | None:
    return (",".join(f"{key}={value}" for key, value in case.items()) or "as_is") if isinstance(case, dict) else None


@pytest.mark.slow
@pytest.mark.parametrize(("model", "recipe", "recipe_changes", "changes"), CASES, ids=name_of)
def test_every_ablation_learns_for_a_step(
    model: str, recipe: str, recipe_changes: dict[str, Any], changes: dict[str, Any]
) -> None:
    network, parts = take_step(model, recipe, recipe_changes, changes, LABELS)
    assert all(bool(part.isfinite()) for part in parts.values())
    is_unnamed = load_recipe(recipe, **recipe_changes).attributes == 0
    idle = [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None]
    # Heads whose labels are not used, and a choice without a slope, do not learn.
    excused = [*(["predict", "attribute."] if is_unnamed else []), *(["quality."] if "qe_grad" in changes else [])]
    assert [name for name in idle if not any(word in name for word in excused)] == []
    assert all(bool(weight.isfinite().all()) for weight in network.parameters())


@pytest.mark.parametrize("some", [some for some in SUBSETS if "id_irrelevant" not in some], ids=str)
def test_triplets_by_pose_need_the_branch_that_learns_it(some: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"recipe\.pose_invariance: expected 0 .* set options\.recipe_changes"):
        take_step("asanet", "asanet_pmi", {}, {"branches": some, "fuse_attr": False}, LABELS)


@pytest.mark.parametrize(
    ("model", "changes", "labels", "named"),
    [
        ("asanet", {}, {}, "group id_relevant, which the network names, got none; name options.dataset.attributes="),
        (
            "asanet",
            {},
            {"id_relevant": LABELS["id_relevant"]},
            "group id_irrelevant, .*network.fusion: a, 'network.branches'",
        ),
        ("asanet", {"num_relevant": 33}, LABELS, r"labels of 33 classes .* got 41; set .*network\.num_relevant: 41"),
        ("baseline", {"num_irrelevant": 11}, {}, "labels of 11 classes of the group id_irrelevant"),
    ],
)
def test_a_group_of_labels_that_is_not_there_is_one_error(
    model: str, changes: dict[str, Any], labels: dict[str, torch.Tensor], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        take_step(model, "asanet", {}, changes, labels)


def test_labels_are_matched_by_the_name_of_their_group_not_by_their_place() -> None:
    turned = dict(reversed(LABELS.items()))
    costs = [
        float(take_step("asanet", "asanet", {}, {}, labels)[1]["attributes"].detach()) for labels in (LABELS, turned)
    ]
    assert costs[0] == costs[1]
    _, alone = take_step("asanet", "asanet", {}, {"branches": ["id_irrelevant"], "fuse_attr": False}, LABELS)
    assert float(alone["attributes"].detach()) > 0


def test_the_baseline_learns_from_the_labels_that_asa_net_has() -> None:
    network, parts = take_step("baseline", "asanet", {}, {"num_relevant": 41, "num_irrelevant": 11}, LABELS)
    assert float(parts["attributes"].detach()) > 0
    assert all(weight.grad is not None for weight in network.attribute.parameters())
    assert not network.eval()(make_clips(2, 2)).extras


PROTOCOLS = {
    "rapa": "usual",
    "lstrl": "mixing",
    "stca": "usual",
    "asanet": "mixing",
    "ctl": "usual",
    "baseline": "mixing",
}
"""Those of the papers, of which RAPA and CTL do not say."""
NEEDS_POSE = ("rapa", "ctl")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "columns"), [*((model, 24) for model in PROTOCOLS), ("asanet", 15), ("baseline", 15)]
)
def test_a_miniature_mars_is_learnt_from_and_scored_as_in_the_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, columns: int
) -> None:
    root = write_mars(tmp_path / "mars")
    table = write_attributes(tmp_path / "attributes.csv", columns)
    changes = {"network.width_mult": TINY, "clip_len": 2, "crop_size_hw": "[64,32]"}
    if columns == 15:
        own = {"asanet": {"network.fusion": "a", "network.branches": "[identity,id_relevant]"}}
        changes |= own.get(model, {"network.num_relevant": 41})
    out = tmp_path / "out"
    dataset = {"protocol": PROTOCOLS[model], "attributes": str(table)}
    options = {"changes": changes, "recipe_changes": {"num_people": 2, "num_each": 2}, "dataset": dataset}
    if model == "baseline" and columns == 15:
        options["recipe_changes"] |= {"attributes": 1.5}
    if model in NEEDS_POSE:
        options["pose"] = "passerby"
    given = [f"options.{key}={json.dumps(value)}" for key, value in options.items()]
    given += [f"model={model}", "dataset=mars", f"data={root}", f"out={out}", "steps=1", "schedule=recipe"]
    train([*given, "threads=1", "loaders=0", "device=cpu", "precision=float32"])
    assert set(json.loads((out / "score.json").read_text())["scores"]) == {"mean_ap", "rank1"}
    weights = tmp_path / "weights.safetensors"
    export(out, weights)
    capsys.readouterr()
    given = [f"model={model}", f"weights={weights}", "dataset=mars", f"root={root}", f"protocol={PROTOCOLS[model]}"]
    given += [f"{key}={value}" for key, value in changes.items()]
    score([*given, "device=cpu", *(["pose=passerby"] if model in NEEDS_POSE else [])])
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["protocol"].startswith(f"MARS, {PROTOCOLS[model]}")
    assert (row["queries"], row["queries_without_answer"]) == (9, 1)
    assert row["rank20"] > 0
