"""CTL: the body as graphs of three scales, with edges that the body, the data set and the clip decide.

Heat-maps of 17 keypoints pick a feature each out of every frame's map; limbs and large parts are averages of them.
In each scale graph convolutions go over windows of frames; then the two finer scales tell the coarsest what they
know. The clip is described by its large parts and its whole.

Shape suffixes as in ``models.reid.networks.clip_network``; K keypoints, N nodes of a scale, V = tau * N
nodes of a window, S nodes of a finer scale, E numbers of an embedding between scales.

Reference:
    "Spatial-Temporal Correlation and Topology Learning for Person Re-Identification in Videos", CVPR 2021, Eq.
    (1), (3)-(5), (8), Fig. 3, 4, Sec. 3.3-3.5. Where the printed equations cannot hold, the reading is said beside
    them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.networks.backbones import ResNet50, map_hw
from models.reid.networks.body_graph import BodyGraph, body_graphs
from models.reid.networks.cell_mean import CellMean
from models.reid.networks.clip_network import BnNeck, Clips, VideoOutput, fold, in_float32, initialise_new, unfold
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError, DataError, ShapeError

SCALES = ("s1", "s2", "s3")
_WEAKEST_PEAK = 0.1
"""Of a heat-map in which a keypoint is found; a choice made here. A larger one lets fewer keypoints pick sharply."""


class ContextBlock(nn.Module):
    """A^c, Fig. 4: edges that the clip itself decides; one matrix for all windows of a clip.

    Args:
        channels: Of the nodes.
        num_frames: T; part of the weights.
        num_nodes: V; part of the weights.
        has_norm: Batch normalisation behind the first convolution.
    """

    def __init__(self, channels: int, num_frames: int, num_nodes: int, *, has_norm: bool) -> None:
        super().__init__()
        self.over_channels = nn.Conv2d(channels, 1, 1)
        self.norm = nn.BatchNorm2d(1) if has_norm else nn.Identity()
        self.over_time = nn.Conv2d(num_frames, 1, 1)
        self.to_edges = nn.Conv2d(num_nodes, num_nodes**2, 1)
        initialise_new(self)

    def forward(self, windows_BTVC: Tensor) -> Tensor:
        """Return ``(B, V, V)``; rows have L2 norm 1."""
        context_BTV1 = self.norm(self.over_channels(windows_BTVC.movedim(3, 1))).movedim(1, 3)
        context_BV11 = self.over_time(context_BTV1).transpose(1, 2)
        edges_BVV = self.to_edges(context_BV11).flatten(1).unflatten(1, (windows_BTVC.shape[2], -1))
        return functional.normalize(edges_BVV, dim=2)


class GraphConvolution(nn.Module):
    """3D graph convolution, Sec. 3.3: over the nodes of a window of frames.

    Args:
        graph: Which nodes touch.
        channels: Of the nodes.
        hidden: Channels between the graph and the convolution that ends a window.
        num_frames: T.
        tau: Frames of a window, odd.
        topology: p: the body's edges; p+m: and those learnt; p+m+c: and those of the clip. Table 4.
        degree: abs: of a node, the sum of its edges' absolute values; clamp: the sum as printed, at least 1e-6. The
            edges have signs, and a sum of 0 or less has no root.
        has_context_norm: As ``ContextBlock`` says.
    """

    def __init__(
        self,
        graph: BodyGraph,
        channels: int,
        hidden: int,
        *,
        num_frames: int,
        tau: int,
        topology: str,
        degree: str,
        has_context_norm: bool,
    ) -> None:
        super().__init__()
        self.tau, self.is_absolute = tau, degree == "abs"
        num_nodes = len(graph.parts)
        # A^p between all frames of a window, with a node's own link within and between frames.
        body_NN = graph.adjacency() + torch.eye(num_nodes)
        self.register_buffer("body_VV", body_NN.repeat(tau, tau), persistent=False)
        self.learnt_NN = nn.Parameter(torch.zeros(num_nodes, num_nodes)) if "m" in topology else None
        self.context = (
            ContextBlock(channels, num_frames, tau * num_nodes, has_norm=has_context_norm) if "c" in topology else None
        )
        self.weight = nn.Linear(channels, hidden, bias=False)
        self.collapse = nn.Conv3d(hidden, channels, (1, tau, 1))
        self.norm = nn.BatchNorm2d(channels)
        for layer in (self.weight, self.collapse):
            initialise_new(layer)

    def forward(self, nodes_BTNC: Tensor) -> Tensor:
        """Return nodes of the same shape, Eq. (3), (4)."""
        windows_BTVC = self.windows(nodes_BTNC)
        propagation = self.propagation(windows_BTVC)
        hidden_BTVH = (propagation @ self.weight(windows_BTVC)).relu()
        stacked = hidden_BTVH.unflatten(2, (self.tau, -1)).permute(0, 4, 1, 2, 3)
        return self.norm(self.collapse(stacked)[:, :, :, 0]).relu().permute(0, 2, 3, 1)

    def windows(self, nodes_BTNC: Tensor) -> Tensor:
        """Return the nodes of the frames around each, zeros beyond the ends: ``(B, T, V, C)``, frame by frame."""
        margin = self.tau // 2
        padded = functional.pad(nodes_BTNC, (0, 0, 0, 0, margin, margin))
        num_frames = nodes_BTNC.shape[1]
        return torch.cat([padded[:, shift : shift + num_frames] for shift in range(self.tau)], dim=2)

    def propagation(self, windows_BTVC: Tensor) -> Tensor:
        """Return D^-1/2 A D^-1/2, Eq. (4), ``(B, 1, V, V)``."""
        adjacency_BVV = self.body_VV[None]
        if self.learnt_NN is not None:
            adjacency_BVV = adjacency_BVV + self.learnt_NN.repeat(self.tau, self.tau)
        if self.context is not None:
            adjacency_BVV = adjacency_BVV + self.context(windows_BTVC).float()
        sums_BV = (adjacency_BVV.abs() if self.is_absolute else adjacency_BVV).sum(2).clamp(min=1e-6)
        root_BV = sums_BV.rsqrt()
        return (root_BV[:, :, None] * adjacency_BVV * root_BV[:, None])[:, None]


class RowBlock(nn.Module):
    """Linear layer, batch normalisation over all rows, ReLU: what the embeddings between scales are made of."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_in, num_out)
        self.norm = nn.BatchNorm1d(num_out)
        initialise_new(self)

    def forward(self, rows: Tensor) -> Tensor:
        """Return ``(…, num_out)``."""
        out = self.linear(rows)
        normal: Tensor = self.norm(out.flatten(0, -2)).relu().reshape(out.shape)
        return normal


class CrossScale(nn.Module):
    """What each large part takes from the nodes of a finer scale, frame by frame.

    Args:
        channels: Of the nodes.
        embedding: E.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.own, self.difference = RowBlock(channels, embedding), RowBlock(channels, embedding)
        self.pair_of_source, self.pair_of_target = (RowBlock(2 * embedding, embedding) for _ in range(2))
        self.sum_of_source, self.sum_of_target = (RowBlock(channels + embedding, embedding) for _ in range(2))
        self.weight = nn.Linear(channels, channels, bias=False)
        initialise_new(self.weight)

    def forward(self, source_BTSC: Tensor, target_BTNC: Tensor) -> Tensor:
        """Return what the target's nodes take, ``(B, T, N, C)``: ReLU(A X W)."""
        taken = self.relation(source_BTSC, target_BTNC) @ source_BTSC
        return self.weight(taken).relu()

    def relation(self, source_BTSC: Tensor, target_BTNC: Tensor) -> Tensor:
        """Return A of Eq. (5), ``(B, T, N, S)``: rows are nodes of the target, and sum to 1.

        The printed indices say the opposite of the printed size.
        """
        source_BTSE = self._embed(source_BTSC, self.pair_of_source, self.sum_of_source)
        target_BTNE = self._embed(target_BTNC, self.pair_of_target, self.sum_of_target)
        with in_float32(source_BTSE):
            return torch.softmax(target_BTNE.float() @ source_BTSE.float().transpose(2, 3), dim=-1)

    def _embed(self, nodes_BTNC: Tensor, of_pair: nn.Module, of_sum: nn.Module) -> Tensor:
        """Return r_i = f([x_i, sum_j h([phi(x_i), phi'(x_j - x_i)])])."""
        others = self.difference(nodes_BTNC[:, :, None] - nodes_BTNC[:, :, :, None])
        own = self.own(nodes_BTNC)[:, :, :, None].expand_as(others)
        summed_BTNE = of_pair(torch.cat([own, others], dim=-1)).sum(3)
        embedded: Tensor = of_sum(torch.cat([nodes_BTNC, summed_BTNE], dim=-1))
        return embedded


class Ctl(nn.Module):
    """ResNet-50, three scales of graphs, and three branches.

    Args:
        num_ids: People of the classifiers; 0 leaves them out.
        clip_len: Frames of a clip; part of the weights where the topology has the clip's own edges.
        crop_size_hw: Height and width of the crops, pixels; any size works.
        width_mult: Scales all channels.
        cell_mean: Take off the maps what they have by their place alone, as ``CellMean`` does; not in the paper. The
            size of crops is part of the weights then. Maps want 8x4 cells or more: of fewer most lie at a border.
        heatmap_peak: raw: heat-maps count as high as they are; one: each is brought to a peak of 1 on the maps' grid,
            so that those of a pose network (peaks of 0.4) pick as those that are drawn of keypoints (peaks of 1).
            Below a peak of 0.1 nothing is found, and they stay low.
        heatmap_beta: What heat-maps are multiplied with before the softmax; printed: 1, which makes all features
            nearly the mean.
        heatmap_resample: bilinear, or maxpool where heat-maps are at least twice as fine as the maps.
        part_pool: sum: a feature is a weighted mean; mean as printed: over the number of places once more.
        graph: False leaves all graphs out (Table 3, baseline).
        topology: p, p+m or p+m+c; Table 4.
        tau: Frames of a window, odd; Fig. 7.
        num_layers: L; Fig. 7.
        degree: abs, or clamp, as ``GraphConvolution`` says.
        context_bn: Batch normalisation in the blocks of the clip's own edges.
        hidden_reduction: The trunk's channels over those inside a graph convolution.
        embed_reduction: The trunk's channels over E.
        csgcl: learnt: cross-scale layers; add: finer scales averaged into the parts; none; Table 3.
        csgcl_layers: 1, or 2: already behind the first graph convolution; Table 5.
        fuse_scales: s3 alone, with s1, or with s1 and s2; Table 5.
        alpha: Of what the finer scales add.
        feat: post or pre: vectors from behind the neck or from before it.

    Raises:
        ConfigError: If a word or number is none of these.
    """

    needs = PoseNeed.HEATMAPS
    distance = "cosine"
    macs_per_normalised = 0

    def __init__(
        self,
        *,
        num_ids: int,
        clip_len: int,
        crop_size_hw: tuple[int, int],
        width_mult: float = 1.0,
        cell_mean: bool = False,
        heatmap_peak: str = "raw",
        heatmap_beta: float = 10.0,
        heatmap_resample: str = "bilinear",
        part_pool: str = "sum",
        graph: bool = True,
        topology: str = "p+m+c",
        tau: int = 3,
        num_layers: int = 2,
        degree: str = "abs",
        context_bn: bool = False,
        hidden_reduction: int = 1,
        embed_reduction: int = 4,
        csgcl: str = "learnt",
        csgcl_layers: int = 1,
        fuse_scales: Sequence[str] = SCALES,
        alpha: float = 0.3,
        feat: str = "post",
    ) -> None:
        super().__init__()
        _check(
            {
                "heatmap_peak": (heatmap_peak, ("raw", "one")),
                "heatmap_resample": (heatmap_resample, ("bilinear", "maxpool")),
                "part_pool": (part_pool, ("sum", "mean")),
                "topology": (topology, ("p", "p+m", "p+m+c")),
                "tau": (tau, (1, 3, 5, 7)),
                "num_layers": (num_layers, (1, 2, 3, 4)),
                "degree": (degree, ("abs", "clamp")),
                "csgcl": (csgcl, ("learnt", "add", "none")),
                "csgcl_layers": (csgcl_layers, (1, 2)),
                "fuse_scales": (tuple(fuse_scales), (("s3",), ("s1", "s3"), SCALES)),
                "feat": (feat, ("post", "pre")),
            }
        )
        self.clip_len, self.crop_size_hw = clip_len, crop_size_hw
        self.heatmap_beta, self.heatmap_resample, self.alpha = heatmap_beta, heatmap_resample, alpha
        self.has_equal_peaks = heatmap_peak == "one"
        self.is_part_mean, self.is_pre = part_pool == "mean", feat == "pre"
        self.has_fixed_len = graph and topology.endswith("c")
        self.scales = tuple(fuse_scales) if csgcl != "none" else ("s3",)
        self.csgcl = csgcl if graph else "add"
        self.trunk = ResNet50(last_stride=1, width_mult=width_mult)
        channels = self.vector_dim = self.trunk.channels[-1]
        self.of_cells = CellMean(channels, map_hw(crop_size_hw, last_stride=1)) if cell_mean else nn.Identity()
        graphs = dict(zip(SCALES, body_graphs(), strict=True))
        for name, body in graphs.items():
            self.register_buffer(f"average_{name}", body.averages(), persistent=False)
            self.register_buffer(f"regroup_{name}", graphs["s3"].regroup(body), persistent=False)
        self.layers = nn.ModuleDict()
        for name in self.scales if graph else ():
            self.layers[name] = nn.ModuleList(
                GraphConvolution(
                    graphs[name],
                    channels,
                    channels // hidden_reduction,
                    num_frames=clip_len,
                    tau=tau,
                    topology=topology,
                    degree=degree,
                    has_context_norm=context_bn,
                )
                for _ in range(num_layers)
            )
        finer = [name for name in self.scales if name != "s3"] if self.csgcl == "learnt" else []
        # The last pair ends the graphs; with two, the first stands behind the first convolution.
        self.cross = nn.ModuleList(
            nn.ModuleDict({name: CrossScale(channels, channels // embed_reduction) for name in finer})
            for _ in range(csgcl_layers)
        )
        num_parts = len(graphs["s3"].parts)
        sizes = [len(part) for part in torch.arange(channels).tensor_split(num_parts)]
        self.concatenate = nn.ModuleList(nn.Linear(channels, size) for size in sizes)
        initialise_new(self.concatenate, is_pointwise=True)
        self.necks = nn.ModuleList(BnNeck(channels, num_ids) for _ in range(3))

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the vector of the branch of sums; features are those of f_g, f_a, f_c.

        ``extras``: ``parts`` ``(B, 5, C)``, averaged over time, for the loss of diversity.

        Raises:
            DataError: If there are no heat-maps.
            ShapeError: If clips are of another length than the weights.
        """
        if clips.heatmaps is None:
            raise DataError("Ctl: expected heatmaps (B, T, 17, h, w), got none; set a pose that gives heat-maps")
        num_frames = clips.pixels.shape[1]
        if self.has_fixed_len and num_frames != self.clip_len:
            raise ShapeError(
                f"Ctl: expected clips of {self.clip_len} frames, got {num_frames}; the length is part of the weights"
            )
        maps_BTCHW = unfold(self.of_cells(self.trunk(fold(clips.pixels))), num_frames)
        whole_BTC = maps_BTCHW.mean((3, 4))
        parts_BTNC = self.relate(self.keypoint_features(maps_BTCHW, clips.heatmaps))
        # Sec. 3.5: the whole, the sum of parts and whole, the parts side by side and the whole.
        pieces = [reduce(parts_BTNC[:, :, part]) for part, reduce in enumerate(self.concatenate)]
        features = (
            whole_BTC.mean(1),
            (parts_BTNC.sum(2) + whole_BTC).mean(1),
            (torch.cat(pieces, dim=-1) + whole_BTC).mean(1),
        )
        necked = [neck(feature) for neck, feature in zip(self.necks, features, strict=True)]
        vector = features[1] if self.is_pre else necked[1][0]
        logits = sum((logits for _, logits in necked), ())
        return VideoOutput(vector, features, logits, {"parts": parts_BTNC.mean(1)})

    def keypoint_features(self, maps_BTCHW: Tensor, heatmaps_BTKHW: Tensor) -> Tensor:
        """Return V_s1 of Eq. (1), ``(B, T, K, C)``: what the map has where each keypoint is."""
        weights_BTKHW = self.attention(heatmaps_BTKHW, (maps_BTCHW.shape[3], maps_BTCHW.shape[4]))
        with in_float32(maps_BTCHW):
            found = weights_BTKHW.flatten(3) @ maps_BTCHW.float().flatten(3).transpose(2, 3)
        return found / weights_BTKHW[0, 0, 0].numel() if self.is_part_mean else found

    def attention(self, heatmaps_BTKHW: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """Return the heat-maps on the grid of the maps, a softmax over its cells: sums are 1."""
        maps = fold(heatmaps_BTKHW).float()
        is_fine = maps.shape[2] >= 2 * grid_hw[0] and maps.shape[3] >= 2 * grid_hw[1]
        if self.heatmap_resample == "maxpool" and is_fine:
            resampled = functional.adaptive_max_pool2d(maps, grid_hw)
        else:
            resampled = functional.interpolate(maps, grid_hw, mode="bilinear", align_corners=False)
        if self.has_equal_peaks:
            resampled = resampled / resampled.amax((2, 3), keepdim=True).clamp(min=_WEAKEST_PEAK)
        weights = torch.softmax(self.heatmap_beta * resampled.flatten(2), dim=-1).unflatten(2, grid_hw)
        return unfold(weights, heatmaps_BTKHW.shape[1])

    def relate(self, keypoints_BTKC: Tensor) -> Tensor:
        """Return V_p, the large parts behind all graphs, ``(B, T, 5, C)``."""
        nodes = {name: getattr(self, f"average_{name}") @ keypoints_BTKC for name in self.scales}
        num_layers = len(self.layers["s3"]) if self.layers else 0
        for number in range(num_layers):
            if number == 1 and len(self.cross) == 2:
                nodes["s3"] = self._gather(nodes, self.cross[0])
            # Residual but for the first layer.
            nodes = {name: self.layers[name][number](x) + (x if number else 0) for name, x in nodes.items()}
        return self._gather(nodes, self.cross[-1])

    def _gather(self, nodes: dict[str, Tensor], cross: nn.ModuleDict) -> Tensor:
        """Return the parts with alpha of what the finer scales tell them."""
        parts = nodes["s3"]
        for name in self.scales:
            if name in cross:
                parts = parts + self.alpha * cross[name](nodes[name], nodes["s3"])
            elif name != "s3":
                parts = parts + self.alpha * (getattr(self, f"regroup_{name}") @ nodes[name])
        return parts


def diversity(parts_BNC: Tensor) -> Tensor:
    """Return L_div of Eq. (8): how alike the parts of a clip are; 0 for orthogonal, N (N - 1) for equal ones.

    Args:
        parts_BNC: Of ``extras``.
    """
    unit = functional.normalize(parts_BNC.float(), dim=2)
    gram = unit @ unit.transpose(1, 2)
    return (gram - torch.eye(gram.shape[1], device=gram.device)).square().sum((1, 2)).mean()


def _check(chosen: dict[str, tuple[object, tuple[object, ...]]]) -> None:
    for key, (value, words) in chosen.items():
        if value not in words:
            raise ConfigError(f"{key}: expected one of {', '.join(map(str, words))}, got {value!r}")
