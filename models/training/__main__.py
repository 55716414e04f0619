"""Trains, exports, scores and shows networks: ``python -m models.training WORD key=value …``.

    train               train a network on rendered worlds or on a benchmark
    train-on-ray        train it in several processes of a Ray cluster
    hard-examples       find the false boxes of a detector, to train on them
    export              write a detector, keypoint or image re-ID network: ONNX, card, catalogue
    export-video        write a video network: safetensors or ONNX
    convert-checkpoint  make baseline weights of a ResNet-50 of torchreid or fast-reid
    score-pets          score detectors and embedders on real footage, PETS 2009
    score-reid          compare embedders on real and rendered footage, with intervals over people
    score-worlds        score detectors, embedders and pose estimators on rendered worlds
    score-trackers      compare trackers on real footage: PETS 2009, MOT17
    score-benchmark     score a video network on MARS and others
    compare             compare embedders: accuracy and cost
    speed               measure the speed of video networks on this machine
    figures             draw the figures of the model cards
    skeletons           draw the keypoints that networks find on real people

``python -m models.training WORD --help`` shows the keys of a word.
"""

import importlib
import os
import sys
from collections.abc import Callable

from pipeline.core.command_line import run_command
from pipeline.core.errors import ConfigError

COMMANDS = {
    "train": "train",
    "train-on-ray": "on_ray",
    "hard-examples": "detector.hard_examples",
    "export": "export",
    "export-video": "video.export",
    "convert-checkpoint": "video.checkpoint_conversion",
    "score-pets": "scoring.score_pets",
    "score-reid": "scoring.score_reid",
    "score-worlds": "scoring.score_worlds",
    "score-trackers": "scoring.score_trackers",
    "score-benchmark": "video.evaluate",
    "compare": "compare",
    "speed": "video.speed",
    "figures": "figures.card_figures",
    "skeletons": "figures.pets_keypoints",
}
"""The module of each word, below ``models.training``; its ``main`` takes the words that follow."""


def load_command(word: str) -> Callable[[list[str]], None]:
    """Return the ``main`` of a word; only its module is imported."""
    command: Callable[[list[str]], None] = importlib.import_module(f"models.training.{COMMANDS[word]}").main
    return command


def main(words: list[str]) -> None:
    """Print the words there are.

    Raises:
        ConfigError: If a word is given: it is none of them.
    """
    if words:
        raise ConfigError(f"command line: expected one of {', '.join(COMMANDS)}, got {words[0]!r}")
    print((__doc__ or "").strip())


if __name__ == "__main__":
    # AMX kernels of torch 2.13 read uninitialised memory in narrow strided bfloat16 convolutions.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
    # A known word is taken off: its command reads the words behind it and answers --help itself.
    is_known = len(sys.argv) > 1 and sys.argv[1] in COMMANDS
    run_command(load_command(sys.argv.pop(1)) if is_known else main)
