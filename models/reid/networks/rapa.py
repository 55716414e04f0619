"""RAPA: the best frame of a clip says what head, body and leg look like; the other frames are aligned with it.

Of every frame of the clip a score of quality is learnt. In the best one, boxes around head, body and leg give a
largest and a mean vector each: six references. Every place of every frame is compared with them; where it is near,
it is attended. Nothing of that is learnt but one normalisation.

Shape suffixes as in ``models.reid.networks.clip_network``; P parts (head, body, leg), R = 2P references
(largest and mean of each).

Reference:
    "Reference-Aided Part-Aligned Feature Disentangling for Video Person Re-Identification", ICME 2021, Eq.
    (2)-(9), (12).
    What the paper leaves open is as in the authors' code: stride 2, a normalisation shared by all relations, maxima
    of both references (Eq. 5), vectors of 2048 / s numbers with s = 2 on MARS, 4 on iLIDS-VID, 8 on PRID-2011.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.reid.networks.backbones import ResNet50, map_hw
from models.reid.networks.body_parts import NUM_PARTS, part_masks, thirds
from models.reid.networks.cell_mean import CellMean
from models.reid.networks.clip_network import BnNeck, Clips, VideoOutput, fold, in_float32, initialise_new, unfold
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError, DataError

NUM_REFERENCES = 2 * NUM_PARTS


class FrameScore(nn.Module):
    """A score in (0, 1) a frame, from the mean of its maps; Eq. (2) for the quality.

    Args:
        channels: Of the mean.
        kernel: Of the convolution over a map of one place: 1, or 3 as in the authors' code, 8 of 9 on padding.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(1)
        initialise_new(self)

    def forward(self, frames_BTC: Tensor) -> Tensor:
        """Return ``(B, T)``."""
        scores = self.norm(self.score(frames_BTC.flatten(0, 1)[..., None, None])).sigmoid()
        return scores.reshape(frames_BTC.shape[:2])


class SoftmaxWeights(nn.Module):
    """Weights of sum 1 over time: the temporal attention of the baseline that RAPA cites.

    Args:
        channels: Of a frame's mean.

    Reference:
        Gao and Nevatia, "Revisiting Temporal Modeling for Video-based Person ReID", arXiv:1805.02104, Sec. 3.1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, channels // 8)
        self.over_time = nn.Conv1d(channels // 8, 1, 3, padding=1)
        initialise_new(self)

    def forward(self, frames_BTC: Tensor) -> Tensor:
        """Return ``(B, T)``."""
        reduced_BCT = self.reduce(frames_BTC).relu().transpose(1, 2)
        return torch.softmax(self.over_time(reduced_BCT).relu()[:, 0], dim=1)


class PartAlignment(nn.Module):
    """PFD: what each frame has of each reference, and how much of the frame is like it.

    Args:
        channels: Of the maps.
        relation_bn: shared: one normalisation of all relations, or separate ones.
        score_sigmoid: A sigmoid more over the scores, as in the authors' code.
        is_weighted: Frames count with their scores, Eq. (7); otherwise all the same.
    """

    def __init__(self, channels: int, *, relation_bn: str, score_sigmoid: bool, is_weighted: bool) -> None:
        super().__init__()
        if relation_bn not in ("shared", "separate"):
            raise ConfigError(f"relation_bn: expected shared or separate, got {relation_bn!r}")
        self.score_sigmoid, self.is_weighted = score_sigmoid, is_weighted
        num_norms = 1 if relation_bn == "shared" else NUM_REFERENCES
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(num_norms))

    def forward(self, maps_BTCHW: Tensor, references_BRC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return for each reference the clip's vector, the frames' vectors and where the frames are like it.

        Args:
            maps_BTCHW: F.
            references_BRC: r_p^m and r_p^a, part by part.

        Returns:
            ``(B, R, C)``, ``(B, R, T, C)`` and, averaged over channels, ``(B, R, T, H, W)``.
        """
        clips, frames, places = [], [], []
        with in_float32(maps_BTCHW):
            maps = maps_BTCHW.float()
            for number, reference_BC in enumerate(references_BRC.float().unbind(1)):
                attention = self.attend(maps, reference_BC, number)
                # Eq. (5): the largest over places; Eq. (6): the mean score of each channel.
                frame_BTC = (maps * attention).amax((3, 4))
                score_BTC = attention.mean((3, 4))
                score_BTC = score_BTC.sigmoid() if self.score_sigmoid else score_BTC
                # Eq. (7)
                clips.append((frame_BTC * score_BTC).sum(1) if self.is_weighted else frame_BTC.mean(1))
                frames.append(frame_BTC)
                places.append(attention.mean(2))
        return torch.stack(clips, dim=1), torch.stack(frames, dim=1), torch.stack(places, dim=1)

    def attend(self, maps_BTCHW: Tensor, reference_BC: Tensor, number: int) -> Tensor:
        """Return A in (0, 1), of the shape of the maps: large where they are near a reference, Eq. (3), (4)."""
        relation = (maps_BTCHW - reference_BC[:, None, :, None, None]).square()
        norm = self.norms[number % len(self.norms)]
        return 1 - unfold(norm(fold(relation)), maps_BTCHW.shape[1]).sigmoid()


class Rapa(nn.Module):
    """ResNet-50 with a global branch and three branches of parts.

    Args:
        num_ids: People of the classifiers; 0 leaves them out.
        clip_len: Frames of a clip; any number works.
        crop_size_hw: Height and width of the crops, pixels; any size works.
        width_mult: Scales all channels.
        reduction: s: a branch's vector has the trunk's channels over s numbers: 2 MARS, 4 iLIDS-VID, 8 PRID-2011.
        last_stride: Of the trunk's last stage.
        cell_mean: Take off the maps what they have by their place alone, as ``CellMean`` does; not in the paper. The
            size of crops is part of the weights then. Maps want 8x4 cells or more: of fewer most lie at a border.
        branches: global, local or both; Table 2.
        reduce_global: False leaves the global branch as long as the trunk is wide (Table 1 a).
        gfe: sigmoid: weights as in the authors' code; softmax_conv: as in the baseline that the paper cites.
        att_kernel: Of the scores' convolutions: 1, or 3 as in the authors' code.
        ta: Frames count with their scores; Table 1.
        pe: Parts by keypoints; otherwise thirds of the map; Table 1.
        qe: The reference is the best frame; otherwise the first; Table 1.
        qe_grad: ste lets the quality learn by way of the reference; none, as in the authors' code, lets it not.
        score_sigmoid: As ``PartAlignment`` says.
        relation_bn: Likewise.
        min_score: Keypoints below it are not seen.
        allow_missing_pose: Take thirds of the map where there are no keypoints at all, and say so in ``extras``.

    Raises:
        ConfigError: If a word or number is none of these.
    """

    needs = PoseNeed.KEYPOINTS
    distance = "euclidean"
    macs_per_normalised = 0

    def __init__(
        self,
        *,
        num_ids: int,
        clip_len: int,
        crop_size_hw: tuple[int, int],
        width_mult: float = 1.0,
        reduction: int = 2,
        last_stride: int = 2,
        cell_mean: bool = False,
        branches: Sequence[str] = ("global", "local"),
        reduce_global: bool = True,
        gfe: str = "sigmoid",
        att_kernel: int = 1,
        ta: bool = True,
        pe: bool = True,
        qe: bool = True,
        qe_grad: str = "ste",
        score_sigmoid: bool = False,
        relation_bn: str = "shared",
        min_score: float = 0.2,
        allow_missing_pose: bool = False,
    ) -> None:
        super().__init__()
        _check_words(branches, gfe=gfe, att_kernel=att_kernel, qe_grad=qe_grad)
        self.clip_len, self.crop_size_hw, self.pe = clip_len, crop_size_hw, pe
        self.has_gradient = qe_grad == "ste"
        self.min_score, self.allow_missing_pose = min_score, allow_missing_pose
        self.trunk = ResNet50(last_stride=last_stride, width_mult=width_mult)
        channels = self.trunk.channels[-1]
        grid_hw = map_hw(crop_size_hw, last_stride=last_stride)
        self.of_cells = CellMean(channels, grid_hw) if cell_mean else nn.Identity()
        dim = channels // reduction
        dims = []
        self.weights: nn.Module | None = None
        self.quality: nn.Module | None = None
        self.reduce = nn.ModuleDict()
        if "global" in branches:
            is_softmax = gfe == "softmax_conv"
            self.weights = SoftmaxWeights(channels) if is_softmax else FrameScore(channels, kernel=att_kernel)
            dims.append(dim if reduce_global else channels)
            # A 1x1 convolution of a 1x1 map.
            self.reduce["global"] = nn.Linear(channels, dim) if reduce_global else nn.Identity()
        if "local" in branches:
            self.quality = FrameScore(channels, kernel=att_kernel) if qe else None
            self.align = PartAlignment(channels, relation_bn=relation_bn, score_sigmoid=score_sigmoid, is_weighted=ta)
            dims += [dim] * NUM_PARTS
            self.reduce["parts"] = nn.ModuleList(nn.Linear(2 * channels, dim) for _ in range(NUM_PARTS))
        initialise_new(self.reduce, is_pointwise=True)
        self.has_parts = "local" in branches
        self.vector_dim = sum(dims)
        self.necks = nn.ModuleList(BnNeck(length, num_ids) for length in dims)

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the features of all branches, one behind the other; ``extras`` as ``describe`` says.

        Raises:
            DataError: If there are no keypoints.
        """
        maps_BTCHW = self.see(clips.pixels)
        if not self.has_parts:
            return self._output([self._global(maps_BTCHW)], {})
        quality_BT, best_B = self.select_reference(maps_BTCHW)
        keypoints = None if clips.keypoints is None else clips.keypoints[_rows(best_B), best_B]
        return self.describe(maps_BTCHW, quality_BT, best_B, keypoints)

    def see(self, pixels_BTCHW: Tensor) -> Tensor:
        """Return F, the maps of all frames, ``(B, T, C, H, W)``."""
        return unfold(self.of_cells(self.trunk(fold(pixels_BTCHW))), pixels_BTCHW.shape[1])

    def select_reference(self, maps_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the quality of each frame ``(B, T)`` and the index of the best ``(B,)``, Eq. (2).

        With this and ``describe`` keypoints need to be sought in one frame of a clip alone.
        """
        if self.quality is None:
            quality_BT = maps_BTCHW.new_ones(maps_BTCHW.shape[:2])
        else:
            quality_BT = self.quality(maps_BTCHW.mean((3, 4)))
        is_best_BT = quality_BT == quality_BT.amax(1, keepdim=True)
        # Of equal ones the first.
        earliness_T = torch.arange(quality_BT.shape[1], 0, -1, device=quality_BT.device)
        return quality_BT, (is_best_BT * earliness_T).argmax(1)

    def describe(
        self, maps_BTCHW: Tensor, quality_BT: Tensor, best_B: Tensor, keypoints_BK3: Tensor | None
    ) -> VideoOutput:
        """Return the output for a reference frame that is known.

        ``extras``: ``quality``, ``reference``, ``part_vectors`` ``(B, R, T, C)`` for the regularisation,
        ``part_maps`` ``(B, R, T, H, W)`` and ``box_fallback`` ``(B, P)``, True where a part is a third of the map.

        Args:
            maps_BTCHW: What ``see`` gave.
            quality_BT: What ``select_reference`` gave.
            best_B: Likewise.
            keypoints_BK3: Of the reference frames alone.

        Raises:
            DataError: If there are no keypoints.
        """
        reference_BCHW = maps_BTCHW[_rows(best_B), best_B]
        if self.has_gradient:
            # One to multiply with, but its slope reaches the quality: the choice alone has none.
            best = quality_BT[_rows(best_B), best_B]
            reference_BCHW = reference_BCHW * (1 + best - best.detach())[:, None, None, None]
        masks_BPHW, is_third_BP = self._masks(reference_BCHW, keypoints_BK3)
        clip_BRC, part_vectors, part_maps = self.align(maps_BTCHW, pool_parts(reference_BCHW, masks_BPHW))
        # f_p = Conv([f_p^m, f_p^a])
        pairs_BPC = clip_BRC.unflatten(1, (NUM_PARTS, 2)).flatten(2)
        features = [reduce(pairs_BPC[:, part]) for part, reduce in enumerate(self.reduce["parts"])]
        if self.weights is not None:
            features.insert(0, self._global(maps_BTCHW))
        extras = {
            "quality": quality_BT,
            "reference": best_B,
            "part_vectors": part_vectors,
            "part_maps": part_maps,
            "box_fallback": is_third_BP,
        }
        return self._output(features, extras)

    def _global(self, maps_BTCHW: Tensor) -> Tensor:
        """Return f_global: a sum over time, divided by nothing."""
        assert self.weights is not None
        frames_BTC = maps_BTCHW.mean((3, 4))
        feature: Tensor = self.reduce["global"]((self.weights(frames_BTC)[..., None] * frames_BTC).sum(1))
        return feature

    def _masks(self, reference_BCHW: Tensor, keypoints_BK3: Tensor | None) -> tuple[Tensor, Tensor]:
        rows, columns = reference_BCHW.shape[2:]
        if self.pe and keypoints_BK3 is not None:
            return part_masks(keypoints_BK3, (rows, columns), min_score=self.min_score)
        if self.pe and not self.allow_missing_pose:
            raise DataError("Rapa: expected keypoints (B, T, 17, 3), got none; set a pose, or allow_missing_pose: true")
        masks = thirds((rows, columns), like=reference_BCHW).expand(len(reference_BCHW), -1, -1, -1)
        return masks, masks.any((2, 3))

    def _output(self, features: list[Tensor], extras: dict[str, Tensor]) -> VideoOutput:
        logits = [neck(feature)[1] for neck, feature in zip(self.necks, features, strict=True)]
        return VideoOutput(torch.cat(features, dim=1), tuple(features), sum(logits, ()), extras)


def pool_parts(reference_BCHW: Tensor, masks_BPHW: Tensor) -> Tensor:
    """Return r_p^m and r_p^a, the largest and the mean of each part's cells, part by part: ``(B, 2P, C)``."""
    inside = masks_BPHW[:, :, None]
    largest_BPC = reference_BCHW[:, None].masked_fill(~inside, -torch.inf).amax((3, 4))
    weights = inside.to(reference_BCHW.dtype)
    mean_BPC = (reference_BCHW[:, None] * weights).sum((3, 4)) / weights.sum((3, 4))
    return torch.stack([largest_BPC, mean_BPC], dim=2).flatten(1, 2)


def inter_frame_distance(part_vectors_BRTC: Tensor) -> Tensor:
    """Return Reg of Eq. (8): squared distances of all ordered pairs of frames, summed; the mean over clips.

    Args:
        part_vectors_BRTC: Of ``extras``.
    """
    num_frames = part_vectors_BRTC.shape[2]
    from_mean = part_vectors_BRTC - part_vectors_BRTC.mean(2, keepdim=True)
    return 2 * num_frames * from_mean.square().sum((1, 2, 3)).mean()


def _rows(indices_B: Tensor) -> Tensor:
    return torch.arange(len(indices_B), device=indices_B.device)


def _check_words(branches: Sequence[str], *, gfe: str, att_kernel: int, qe_grad: str) -> None:
    if not branches or not set(branches) <= {"global", "local"}:
        raise ConfigError(f"branches: expected global, local or both, got {list(branches)}")
    if gfe not in ("sigmoid", "softmax_conv") or att_kernel not in (1, 3) or qe_grad not in ("ste", "none"):
        raise ConfigError(
            "gfe, att_kernel, qe_grad: expected sigmoid or softmax_conv, 1 or 3, ste or none, "
            f"got {gfe!r}, {att_kernel}, {qe_grad!r}"
        )
