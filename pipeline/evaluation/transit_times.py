"""``python -m pipeline.evaluation.transit_times ledger.sqlite``: transits between cameras in a run.

A transit is a person who was last seen in one camera and next in another. The final identities of a ledger give the
transits. The command writes ``walks.json`` (per ordered pair of cameras: number of transits, median and spread in
seconds) and a diagram, ``walks.svg``.

    python -m pipeline.evaluation.transit_times outputs/…/ledger.sqlite out=outputs/walks
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from html import escape
from itertools import pairwise
from math import cos, hypot, pi, sin
from pathlib import Path

from pipeline.association.geometry.transit_times import TransitTime, TransitTimes
from pipeline.core.command_line import run_command
from pipeline.ledger.events import Event
from pipeline.ledger.reader import LedgerReader

Visit = tuple[float, float, str]
"""First and last time in Unix seconds, and the camera."""
SIZE = 560
"""Width and height of the diagram, pixels."""


def learn(people: Iterable[Iterable[Visit]]) -> TransitTimes:
    """Return the transit times of people, from the visits of each.

    Example:
        >>> learn([[(0.0, 2.0, "east"), (10.0, 12.0, "west")]]).times
        {('east', 'west'): [8.0]}
    """
    transits = TransitTimes()
    found = []
    for visits in people:
        ordered = sorted(visits)
        for before, after in pairwise(ordered):
            if before[2] != after[2] and after[0] >= before[1]:
                found.append((after[0], before[2], after[2], after[0] - before[1]))
    for _, from_camera, to_camera, gap_s in sorted(found):
        transits.learn(from_camera, to_camera, gap_s)
    return transits


def to_json(transits: Mapping[tuple[str, str], TransitTime]) -> str:
    """Return the transit times as JSON, sorted by pair of cameras."""
    rows = [{"from": pair[0], "to": pair[1], **asdict(transit)} for pair, transit in sorted(transits.items())]
    return json.dumps({"walks": rows}, indent=1)


def to_svg(transits: Mapping[tuple[str, str], TransitTime]) -> str:
    """Return a diagram: cameras on a circle, an arrow per pair, wider for more transits."""
    cameras = sorted({camera for pair in transits for camera in pair})
    middle, radius = SIZE / 2, SIZE / 2 - 80
    turns = [2 * pi * index / max(len(cameras), 1) for index in range(len(cameras))]
    places = {c: (middle + radius * sin(t), middle - radius * cos(t)) for c, t in zip(cameras, turns, strict=True)}
    most = max((transit.num_transits for transit in transits.values()), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" font-family="sans-serif" '
        'font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" '
        'markerUnits="userSpaceOnUse"><path d="M0 0 8 4 0 8z" fill="#36c"/></marker></defs>',
        f'<rect width="{SIZE}" height="{SIZE}" fill="white"/>',
    ]
    for (one, two), transit in sorted(transits.items()):
        (x1, y1), (x2, y2) = places[one], places[two]
        length = hypot(x2 - x1, y2 - y1)
        aside_x, aside_y = 8 * (y2 - y1) / length, -8 * (x2 - x1) / length  # the two directions side by side
        cut_x, cut_y = 26 * (x2 - x1) / length, 26 * (y2 - y1) / length
        start = f'x1="{x1 + cut_x + aside_x:.1f}" y1="{y1 + cut_y + aside_y:.1f}"'
        stop = f'x2="{x2 - cut_x + aside_x:.1f}" y2="{y2 - cut_y + aside_y:.1f}"'
        width = 1 + 4 * transit.num_transits / most
        parts.append(f'<line {start} {stop} stroke="#36c" stroke-width="{width:.1f}" marker-end="url(#tip)"/>')
        text_x, text_y = x1 + 0.35 * (x2 - x1) + 2 * aside_x, y1 + 0.35 * (y2 - y1) + 2 * aside_y
        parts.append(
            f'<text x="{text_x:.1f}" y="{text_y:.1f}">{transit.median_s:.1f} s ({transit.num_transits})</text>'
        )
    for camera, (x, y) in places.items():
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="22" fill="#fd8" stroke="#333"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 38:.1f}" text-anchor="middle">{escape(camera)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _visit(event: Event) -> Visit:
    assert event.camera_id is not None
    return event.first_at, event.at, event.camera_id


def main(words: list[str]) -> None:
    """Read a ledger and write both files.

    Raises:
        ReidError: If the ledger cannot be read.
    """
    ledger = next((word for word in words if "=" not in word), "")
    out = Path(next((word.removeprefix("out=") for word in words if word.startswith("out=")), "outputs/walks"))
    reader = LedgerReader(Path(ledger))
    people = [[_visit(event) for event in reader.sightings_of(person.person_id)] for person in reader.persons()]
    reader.close()
    transits = learn(people).all_fitted()
    out.mkdir(parents=True, exist_ok=True)
    (out / "walks.json").write_text(to_json(transits), encoding="utf-8")
    (out / "walks.svg").write_text(to_svg(transits), encoding="utf-8")
    print(f"{len(transits)} pairs of cameras: {out / 'walks.json'}, {out / 'walks.svg'}")


if __name__ == "__main__":
    run_command(main)
