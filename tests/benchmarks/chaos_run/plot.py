"""Draws a run: cameras with their blind times, faults beside recoveries, and what the run took."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from chaos_run.scene import CAMERAS
from chaos_run.watch import Watch

COLOURS = plt.get_cmap("tab10")


def draw(file: Path, watch: Watch, faults: Sequence[Mapping[str, object]], began_at: float) -> None:
    """Write a picture of a run; faults as in the log, times in seconds since ``began_at``."""
    figure, (top, *below) = plt.subplots(4, 1, figsize=(16, 9), sharex=True, height_ratios=[4, 1, 1, 1])
    end = watch.usages[-1].at - began_at
    for row, camera_id in enumerate(CAMERAS):
        top.barh(row, end, height=0.5, color="#b7dfb9")
        for blind_from, blind_to in watch.blind(camera_id):
            top.barh(row, blind_to - blind_from, left=blind_from - began_at, height=0.5, color="#d9534f")
    top.set_yticks(range(len(CAMERAS)), CAMERAS)
    top.set_title(
        "green: followed; red: blind; bands: faults, from their begin to their end; dots: every camera is back"
    )
    kinds = sorted({str(fault["fault"]) for fault in faults})
    for fault in faults:
        colour = COLOURS(kinds.index(str(fault["fault"])))
        begin, over = (float(str(fault[name])) for name in ("begins_s", "ends_s"))
        for axes in (top, *below):
            axes.axvspan(begin, max(over, begin + end / 600), color=colour, alpha=0.35, linewidth=0)
        if fault["back_s"] is not None:
            top.plot(float(str(fault["back_s"])), len(CAMERAS) - 0.4, "o", color=colour)
    for kind in kinds:
        top.plot([], [], color=COLOURS(kinds.index(kind)), linewidth=6, alpha=0.5, label=kind.replace("_", " "))
    if kinds:
        top.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=9, frameon=False)
    times = [usage.at - began_at for usage in watch.usages]
    for axes, name, unit in zip(below, ("memory", "threads", "descriptors"), (1e6, 1, 1), strict=True):
        axes.plot(times, [getattr(usage, name) / unit for usage in watch.usages], color="black", linewidth=0.8)
        axes.set_ylabel("MB" if name == "memory" else name)
        axes.set_ylim(bottom=0)
    below[-1].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)
