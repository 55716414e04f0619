"""CTL: its counts, and what its equations promise."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plugins import plugin_factory
from video_networks import make_clips, make_network

import models.detection
from models.reid.networks.body_graph import BodyGraph, body_graphs
from models.reid.networks.clip_network import Clips
from models.reid.networks.ctl import ContextBlock, CrossScale, Ctl, GraphConvolution, RowBlock, diversity
from models.summary import summarise
from models.training.video.posed import draw_heatmaps, make_tracklet
from models.training.video.sources import resize
from pipeline.camera.detection import letterbox
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, DataError, ShapeError

PEOPLE = Path(models.detection.__file__).with_name("people.jpg")
"""A picture of three people."""
TRIANGLE = BodyGraph(parts=((0,), (1,), (2,), (3,)), edges=((0, 1), (1, 2), (0, 2)))
NODES = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0))
"""B, T, N, C."""


def make_convolution(**settings: object) -> GraphConvolution:
    torch.manual_seed(0)
    given = {"num_frames": 5, "tau": 3, "topology": "p+m+c", "degree": "abs", "has_context_norm": False} | settings
    return GraphConvolution(TRIANGLE, 6, 8, **given).eval()


def num_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("hidden_reduction", "parameters", "of_graphs", "gmacs"),
    [(1, 152_544_876, 101_046_828, 38.93), (4, 77_047_404, 25_549_356, 31.69)],
    ids=["paper", "lite"],
)
def test_counts_are_those_of_the_specification(
    hidden_reduction: int, parameters: int, of_graphs: int, gmacs: float
) -> None:
    make = partial(Ctl, hidden_reduction=hidden_reduction)
    summary = summarise(make, num_ids=625, clip_len=6, crop_size_hw=(256, 128))
    assert summary.parameters == parameters
    assert summary.gmacs_per_frame * 6 == pytest.approx(gmacs, abs=5e-3)
    with torch.device("meta"):
        network = make(num_ids=625, clip_len=6, crop_size_hw=(256, 128))
    assert num_parameters(network.layers) == of_graphs
    assert num_parameters(network.cross) == 19_941_376
    assert num_parameters(network.concatenate) == 4_196_352


def test_the_edges_of_a_clip_cost_as_many_parameters_as_specified() -> None:
    with torch.device("meta"):
        assert num_parameters(ContextBlock(2048, 6, 51, has_norm=False)) == 137_308


def test_heat_maps_become_weights_of_sum_one() -> None:
    network = make_network(Ctl)
    weights = network.attention(torch.rand(2, 4, 17, 16, 8), (4, 2))
    torch.testing.assert_close(weights.sum((3, 4)), torch.ones(2, 4, 17))


def test_a_sharp_peak_is_kept_by_the_largest_and_flattened_by_interpolation() -> None:
    heatmaps = torch.zeros(1, 1, 17, 64, 32)
    heatmaps[..., 33, 9] = 1
    bilinear, maxpool = (
        make_network(Ctl, heatmap_resample=way).attention(heatmaps, (16, 8))[0, 0, 0] for way in ("bilinear", "maxpool")
    )
    assert maxpool[8, 2] == maxpool.amax() > bilinear[8, 2]
    coarse = torch.rand(1, 1, 17, 5, 3)
    same = [make_network(Ctl, heatmap_resample=way).attention(coarse, (4, 2)) for way in ("bilinear", "maxpool")]
    assert torch.equal(*same)


def test_heat_maps_without_a_peak_give_every_keypoint_the_mean_of_the_map() -> None:
    maps = torch.randn(2, 4, 8, 4, 2)
    found = make_network(Ctl).keypoint_features(maps, torch.full((2, 4, 17, 16, 8), 0.3))
    torch.testing.assert_close(found, maps.mean((3, 4))[:, :, None].expand(-1, -1, 17, -1))
    divided = make_network(Ctl, part_pool="mean").keypoint_features(maps, torch.full((2, 4, 17, 16, 8), 0.3))
    torch.testing.assert_close(divided * 8, found)


def test_a_keypoints_feature_is_what_a_loop_over_cells_gives() -> None:
    network, maps, heatmaps = make_network(Ctl), torch.randn(1, 2, 8, 4, 2), torch.rand(1, 2, 17, 4, 2)
    weights = (10 * heatmaps[0, 1, 7]).exp()
    cells = [(y, x) for y in range(4) for x in range(2)]
    expected = sum(weights[y, x] * maps[0, 1, :, y, x] for y, x in cells) / weights.sum()
    torch.testing.assert_close(network.keypoint_features(maps, heatmaps)[0, 1, 7], expected)


def test_low_heat_maps_pick_as_high_ones_where_their_peaks_are_made_equal_and_noise_picks_nothing() -> None:
    keypoints = torch.rand(1, 2, 17, 3, generator=torch.Generator().manual_seed(0))
    keypoints[..., 2] = 1
    drawn = draw_heatmaps(keypoints, (8, 4))
    raw, one = make_network(Ctl), make_network(Ctl, heatmap_peak="one")
    torch.testing.assert_close(one.attention(0.38 * drawn, (8, 4)), one.attention(drawn, (8, 4)))
    low, high = (raw.attention(some, (8, 4)).amax((3, 4)).mean() for some in (0.38 * drawn, drawn))
    assert low < 0.5 * high
    assert one.attention(0.01 * drawn, (8, 4)).amax() < 0.1


@pytest.mark.slow
def test_heat_maps_that_a_pose_network_finds_pick_as_those_drawn_of_its_keypoints() -> None:
    picture = cv2.imread(str(PEOPLE))[..., ::-1]
    (found,) = (detector := plugin_factory("detector", "passerby")()).detect(
        [letterbox(Frame(FrameStamp("c", 0, 0.0), np.ascontiguousarray(picture)), detector.input_hw)]
    )
    boxes = found.boxes_xyxy[found.scores > 0.5].astype(int)
    assert len(boxes) >= 2
    estimator, network = plugin_factory("pose", "passerby")(), make_network(Ctl, heatmap_peak="one")
    largest: list[list[float]] = [[], []]
    for left, top, right, bottom in boxes.clip(min=0):
        crop = resize(np.ascontiguousarray(picture[top:bottom, left:right]), (128, 64))
        (posed,) = estimator.estimate([make_tracklet(0, crop[None], None)])
        maps = torch.from_numpy(np.array(posed.heatmaps)), draw_heatmaps(torch.tensor(posed.keypoints), (8, 4))
        for weights, some in zip(largest, maps, strict=True):
            weights += network.attention(some[None], (8, 4)).amax((3, 4)).flatten().tolist()
    assert np.mean(largest[0]) == pytest.approx(np.mean(largest[1]), rel=0.35)


def test_limbs_and_parts_are_plain_averages_of_keypoints() -> None:
    features = torch.randn(17, 5)
    for graph in body_graphs():
        expected = torch.stack([features[list(part)].mean(0) for part in graph.parts])
        torch.testing.assert_close(graph.averages() @ features, expected)


def test_finer_nodes_are_averaged_into_the_parts_that_they_lie_in() -> None:
    keypoints, limbs, large = body_graphs()
    torch.testing.assert_close(large.regroup(keypoints), large.averages())
    members = [row.nonzero()[:, 0].tolist() for row in large.regroup(limbs)]
    assert members == [[0], [2, 3], [4, 5], [6, 7], [8, 9]]


@pytest.mark.parametrize(("number", "num_nodes", "num_edges"), [(0, 17, 19), (1, 10, 9), (2, 5, 6)])
def test_the_edges_of_the_body_go_both_ways_and_join_all_of_it(number: int, num_nodes: int, num_edges: int) -> None:
    adjacency = body_graphs()[number].adjacency()
    assert adjacency.shape == (num_nodes, num_nodes)
    assert torch.equal(adjacency, adjacency.T)
    assert not adjacency.diagonal().any()
    assert adjacency.sum() == 2 * num_edges
    assert (torch.linalg.matrix_power(adjacency + torch.eye(num_nodes), num_nodes) > 0).all()


def test_edges_to_be_learnt_begin_at_nothing() -> None:
    assert not make_convolution().learnt_NN.any()


def test_a_plain_convolution_is_what_a_loop_over_nodes_gives() -> None:
    layer = make_convolution(topology="p", tau=1)
    adjacency = TRIANGLE.adjacency() + torch.eye(4)
    out = layer(NODES)
    b, t = 1, 3
    hidden = []
    for i in range(4):
        total = torch.zeros(8)
        for j in range(4):
            weight = adjacency[i, j] / (adjacency[i].sum() * adjacency[j].sum()).sqrt()
            total += weight * (layer.weight.weight @ NODES[b, t, j])
        hidden.append(total.relu())
    for i in range(4):
        ended = layer.collapse.weight[:, :, 0, 0, 0] @ hidden[i] + layer.collapse.bias
        expected = (ended / (1 + layer.norm.eps) ** 0.5).relu()
        torch.testing.assert_close(out[b, t, i], expected, atol=1e-5, rtol=1e-5)


def test_windows_lie_frame_by_frame_and_see_nothing_beyond_the_ends() -> None:
    windows = make_convolution().windows(NODES)
    assert windows.shape == (2, 5, 12, 6)
    assert torch.equal(windows[:, 2], NODES[:, 1:4].flatten(1, 2))
    assert not windows[:, 0, :4].any()
    assert not windows[:, -1, 8:].any()
    assert torch.equal(windows[:, 0, 4:], NODES[:, :2].flatten(1, 2))


@pytest.mark.parametrize(("topology", "is_local"), [("p", True), ("p+m", True), ("p+m+c", False)])
def test_a_frame_depends_on_its_neighbours_alone_unless_the_clip_has_edges(topology: str, is_local: bool) -> None:
    layer = make_convolution(topology=topology)
    changed = NODES.clone()
    changed[:, 4] += 1
    out, other = layer(NODES), layer(changed)
    assert torch.equal(out[:, :3], other[:, :3]) is is_local
    assert not torch.equal(out[:, 3], other[:, 3])


def test_edges_between_frames_join_a_node_to_itself_and_to_those_it_touches() -> None:
    body = make_convolution().body_VV.unflatten(0, (3, 4)).unflatten(2, (3, 4)).transpose(1, 2)
    assert (body == TRIANGLE.adjacency() + torch.eye(4)).all()


def test_the_edges_of_a_clip_have_rows_of_norm_one() -> None:
    block = ContextBlock(6, 5, 12, has_norm=True).eval()
    torch.testing.assert_close(block(torch.randn(2, 5, 12, 6)).norm(dim=2), torch.ones(2, 12))


@given(st.integers(0, 1000), st.floats(0.01, 30))
def test_no_degree_is_zero_whatever_the_signs_of_edges(seed: int, strength: float) -> None:
    for degree in ("abs", "clamp"):
        layer = make_convolution(degree=degree)
        generator = torch.Generator().manual_seed(seed)
        layer.learnt_NN.data = torch.randn(4, 4, generator=generator) * strength
        assert layer.propagation(layer.windows(NODES)).isfinite().all()


def test_rows_between_scales_sum_to_one() -> None:
    torch.manual_seed(0)
    cross = CrossScale(6, 4).eval()
    relation = cross.relation(torch.randn(2, 5, 7, 6), torch.randn(2, 5, 3, 6))
    assert relation.shape == (2, 5, 3, 7)
    torch.testing.assert_close(relation.sum(-1), torch.ones(2, 5, 3))


def test_an_embedding_between_scales_is_what_a_loop_over_pairs_gives() -> None:
    torch.manual_seed(0)
    cross = CrossScale(6, 4).eval()
    nodes = torch.randn(1, 1, 3, 6)
    found = cross._embed(nodes, cross.pair_of_source, cross.sum_of_source)
    x = nodes[0, 0]
    for i in range(3):
        pairs = [torch.cat([cross.own(x[i][None]), cross.difference((x[j] - x[i])[None])], dim=1) for j in range(3)]
        summed = sum(cross.pair_of_source(pair) for pair in pairs)
        expected = cross.sum_of_source(torch.cat([x[i][None], summed], dim=1))
        torch.testing.assert_close(found[0, 0, i], expected[0], atol=1e-5, rtol=1e-5)


def test_a_row_block_normalises_over_all_rows() -> None:
    block = RowBlock(6, 4).train()
    before = block.linear(NODES).flatten(0, 2)
    expected = ((before - before.mean(0)) / (before.var(0, unbiased=False) + block.norm.eps).sqrt()).relu()
    torch.testing.assert_close(block(NODES).flatten(0, 2), expected, atol=1e-5, rtol=1e-4)


def test_orthogonal_parts_cost_nothing_and_equal_ones_twenty() -> None:
    orthogonal = torch.linalg.qr(torch.randn(2, 8, 5)).Q.transpose(1, 2) * 7
    assert diversity(orthogonal) < 1e-9
    assert diversity(torch.randn(2, 1, 8).expand(-1, 5, -1)) == pytest.approx(20, abs=1e-4)


def test_clips_of_another_length_are_refused_where_the_length_is_part_of_the_weights() -> None:
    with pytest.raises(ShapeError, match="Ctl: expected clips of 4 frames, got 3"):
        make_network(Ctl)(make_clips(2, 3))
    assert make_network(Ctl, topology="p+m")(make_clips(2, 3)).vector.isfinite().all()


def test_a_clip_of_one_frame_will_do_for_a_network_of_one() -> None:
    assert make_network(Ctl, clip_len=1)(make_clips(2, 1)).vector.isfinite().all()


def test_heat_maps_that_are_missing_are_named() -> None:
    clips = make_clips()
    with pytest.raises(DataError, match="Ctl: expected heatmaps"):
        make_network(Ctl)(Clips(clips.pixels, clips.keypoints))


def test_the_vector_comes_from_the_sum_of_parts_before_or_behind_its_neck() -> None:
    clips = make_clips()
    behind, before = (make_network(Ctl, feat=feat)(clips) for feat in ("post", "pre"))
    assert torch.equal(before.vector, before.features[1])
    torch.testing.assert_close(behind.vector, behind.features[1] / (1 + 1e-5) ** 0.5)


@pytest.mark.parametrize(
    "settings",
    [
        {"topology": "p"},
        {"topology": "p+m", "tau": 1},
        {"tau": 5, "num_layers": 3},
        {"num_layers": 1},
        {"graph": False},
        {"csgcl": "none"},
        {"csgcl": "add"},
        {"csgcl_layers": 2},
        {"fuse_scales": ("s3",)},
        {"fuse_scales": ("s1", "s3")},
        {"context_bn": True},
        {"hidden_reduction": 4},
    ],
    ids=str,
)
def test_every_switch_of_the_tables_makes_a_network_that_works(settings: dict[str, object]) -> None:
    output = make_network(Ctl, **settings)(make_clips())
    assert output.vector.shape == (2, 256)
    assert output.extras["parts"].shape == (2, 5, 256)


@pytest.mark.parametrize("settings", [{"tau": 2}, {"topology": "c"}, {"csgcl": "x"}, {"fuse_scales": ("s1",)}], ids=str)
def test_words_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        make_network(Ctl, **settings)
