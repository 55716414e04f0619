"""Render synthetic cameras: ``passerby world render|benchmark|dataset|speed …``."""

import argparse
import os
import sys
from pathlib import Path

from connectors.synthetic.benchmarks import BENCHMARKS, render_benchmark
from connectors.synthetic.dataset import DatasetSpec, render_dataset
from connectors.synthetic.people.character_sampling import WARDROBES
from connectors.synthetic.recording import render
from connectors.synthetic.speed import print_speed
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ReidError


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby world", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    usual = Scenario()
    one = commands.add_parser("render", help="render one world: a video and a ground-truth file for each camera")
    one.add_argument("--out", type=Path, required=True, help="folder to write to")
    one.add_argument("--place", default=usual.place, help="plaza, corridor, shop, … (default %(default)s)")
    one.add_argument("--variant", type=int, default=0, help="0: the place as written; other numbers vary it")
    one.add_argument("--cameras", default="", help="names, separated by commas; default: all")
    one.add_argument("--people", type=int, default=usual.people, help="number of people (default %(default)s)")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--seconds", type=float, default=60.0, help="default %(default)s")
    one.add_argument("--fps", type=float, default=usual.fps, help="default %(default)s")
    one.add_argument("--wardrobe", choices=list(WARDROBES), default=usual.wardrobe)
    one.add_argument("--lookalikes", type=float, default=usual.lookalikes, help="share of people, 0 to 1")
    one.add_argument("--returns", type=float, default=usual.returns, help="share of people who return, 0 to 1")
    one.add_argument("--changes", type=float, default=usual.changes, help="share of returns in other clothes, 0 to 1")
    one.add_argument("--groups", type=float, default=usual.groups, help="share of people who walk in groups, 0 to 1")
    one.add_argument("--scale", type=float, default=usual.scale, help="of width and height, 0.1 to 1")
    one.add_argument("--shutter-s", type=float, default=usual.shutter_s, help="above 0: moving people are blurred")
    one.add_argument("--supersample", type=int, default=usual.supersample, help="1: fast; 2: smooth edges")
    one.add_argument("--crf", type=int, default=23, help="quality of H.264, 0 best to 51 worst (default %(default)s)")
    one.add_argument("--device", default="cpu", help="cpu or cuda")
    named = commands.add_parser(
        "benchmark", help="render the worlds of the published figures, for configs/site/world_*.yaml"
    )
    named.add_argument("names", nargs="+", metavar="name", help=", ".join(BENCHMARKS))
    named.add_argument("--out", type=Path, default=Path("outputs/worlds"), help="default %(default)s/<name>")
    named.add_argument("--seconds", type=float, help="render only so many; default: the length of the benchmark")
    many = commands.add_parser("dataset", help="render a training set of many small worlds")
    many.add_argument("--out", type=Path, required=True, help="folder to write to; finished worlds in it are kept")
    many.add_argument("--worlds", type=int, default=100, help="default %(default)s")
    many.add_argument("--seed", type=int, default=0)
    many.add_argument("--people", type=int, default=14, help="per world (default %(default)s)")
    many.add_argument("--seconds", type=float, default=30.0, help="per world (default %(default)s)")
    many.add_argument("--fps", type=float, default=2.0, help="frames per second (default %(default)s)")
    many.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default %(default)s)")
    many.add_argument("--device", default="cpu", help="cpu or cuda")
    many.add_argument("--fixed-places", action="store_true", help="use variant 0 of each place instead of varying it")
    fast = commands.add_parser("speed", help="measure frames per second on one core, by people and cameras")
    fast.add_argument("--device", default="cpu", help="cpu or cuda")
    return parser


def main() -> None:
    """Read the command line and render; exit with the error's code if that is impossible."""
    given = vars(make_parser().parse_args())
    command, out = given.pop("command"), given.pop("out", None)
    try:
        if command == "dataset":
            workers = given.pop("workers")
            render_dataset(DatasetSpec(**given), out, workers=workers)
        elif command == "benchmark":
            for name in given["names"]:
                render_benchmark(name, out / name, seconds=given["seconds"])
        elif command == "speed":
            print_speed(given["device"])
        else:
            cameras = [name for name in given.pop("cameras").split(",") if name]
            seconds, crf = given.pop("seconds"), given.pop("crf")
            render(World(Scenario(**given), cameras), out, seconds=seconds, crf=crf)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
