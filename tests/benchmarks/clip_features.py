"""What the switches of CTL, RAPA and LSTRL change before anything is trained with them, on crops of PETS 2009.

    PYTHONPATH=. python tests/benchmarks/clip_features.py

The trunk is that of the shipped ``lstrl_light``. Printed: how much of the variance of its maps is the place of a
cell; how well people are found again by the plain mean of the maps and by features at found keypoints, with and
without ``cell_mean`` and equal peaks, and how large the largest weight of a heat-map is; and the entropy of LSTRL's
attention, as a part of its greatest.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.reid.checkpoint import load_network
from models.reid.networks.cell_mean import CellMean
from models.reid.networks.ctl import Ctl
from models.reid.networks.lstrl import AppearanceExtractor
from models.summary import read_embedder
from models.training.comparison.scores import find
from models.training.comparison.tracklets import HalfTracklets, KnownTracklets
from models.training.scoring.pets import read_half_crops
from models.training.scoring.score_pets import locate_footage
from models.training.video.posed import draw_heatmaps
from models.training.video.scoring import NetworkInput
from models.training.video.task import read_estimator
from pipeline.evaluation.retrieval import LabelledVectors

WEIGHTS = Path(__file__).parents[2] / "models" / "weights" / "lstrl_light.safetensors"
GRID = (8, 4)


@torch.no_grad()
def main() -> None:
    """Print the figures."""
    footage = locate_footage([])
    settings = NetworkInput.of(read_embedder("lstrl_light", {}))
    source = HalfTracklets(read_half_crops(footage.video, footage.truth), crop_hw=settings.crop_hw, num_crops=4)
    known = KnownTracklets(source, num_crops=4)
    posed = read_estimator("passerby")().estimate([known[row] for row in range(len(known))])
    keypoints = torch.from_numpy(np.concatenate([one.keypoints for one in posed]))
    heatmaps = torch.from_numpy(np.concatenate([one.heatmaps for one in posed]))
    crops = torch.from_numpy(np.concatenate([one.crops for one in posed]))
    pixels = settings.clips(crops[:, None], keypoints[:, None]).pixels[:, 0]
    network = settings.make(0).eval()
    load_network(WEIGHTS, network)
    maps = torch.cat([network.trunk(some) for some in pixels.split(64)])
    deviations = maps - maps.mean((0, 2, 3), keepdim=True)
    share = deviations.mean(0).square().mean() / deviations.square().mean()
    print(f"{len(crops)} crops; the place of a cell is {100 * float(share):.1f} % of the variance")

    def mean_ap(features: Tensor) -> float:
        parts = functional.normalize(features, dim=1).split([len(one) for one in posed])
        vectors = functional.normalize(torch.stack([part.mean(0) for part in parts]), dim=1).numpy()
        labelled = LabelledVectors(vectors, source.people, source.cameras)
        return 100 * find(labelled, labelled).plain.mean_ap

    print(f"plain mean: mAP {mean_ap(maps.mean((2, 3))):.1f}")
    cleaned = CellMean(maps.shape[1], GRID).train()(maps)
    for peak in ("raw", "one"):
        ctl = Ctl(
            num_ids=0,
            clip_len=4,
            crop_size_hw=settings.crop_hw,
            width_mult=0.25,
            heatmap_peak=peak,
            heatmap_resample="maxpool",
        )
        for kind, some in (("found", heatmaps), ("drawn", draw_heatmaps(keypoints, GRID))):
            largest = float(ctl.attention(some[None], GRID).amax((3, 4)).mean())
            scores = [mean_ap(ctl.keypoint_features(of[None], some[None])[0].flatten(1)) for of in (maps, cleaned)]
            print(f"peak {peak}, {kind}: largest weight {largest:.2f}, mAP {scores[0]:.1f}, cell_mean {scores[1]:.1f}")
    clip = network.trunk.layer2(network.trunk.layer1(network.trunk.stem(pixels[:4])))[None]
    trained = network.mae["layer2"]
    for scale in (1.0, "root", "mean"):
        block = AppearanceExtractor(clip.shape[2], scale=scale)
        block.load_state_dict(trained.state_dict())
        spread = {number: entropy(found) for number, found in block.relations(clip).items()}
        print(f"mae_scale {scale}: entropy " + ", ".join(f"D{number} {value:.3f}" for number, value in spread.items()))


def entropy(attention: Tensor) -> float:
    """Return the mean entropy of rows, as a part of its greatest."""
    mean = -(attention * attention.clamp(min=1e-20).log()).sum(-1).mean()
    return float(mean) / math.log(attention.shape[-1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
