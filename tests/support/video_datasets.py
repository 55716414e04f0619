"""Miniature copies of the data sets, a few kB each; a person is a colour."""

from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat


def write_picture(path: Path, person: int, noise: int = 0) -> None:
    """Write a picture of 64 x 32 in the colour of a person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = np.random.default_rng(person + 100).integers(40, 216, 3)
    pixels = colour + np.random.default_rng([person + 100, noise]).integers(-12, 13, (64, 32, 3))
    cv2.imwrite(str(path), pixels.astype(np.uint8))


def write_mars(root: Path) -> Path:
    """Write MARS: people 1, 3, 5, 7 to learn from; 2, 4, 6 in three cameras and 8 in one; junk and distractors."""
    rng = np.random.default_rng(0)
    train = [(person, camera) for person in (1, 3, 5, 7) for camera in (1, 2) for _ in range(2)]
    test = [(-1, 1), (-1, 2), (0, 1), (0, 2), (0, 3)]
    # Two tracklets per person and camera: one is the query, the other is in the gallery.
    test += [(person, camera) for person in (2, 4, 6) for camera in (1, 2, 3) for _ in range(2)]
    test += [(8, 2), (8, 2)]
    for split, tracklets in (("train", train), ("test", test)):
        names: list[str] = []
        rows = []
        for number, (person, camera) in enumerate(tracklets):
            first = len(names) + 1
            begin = "00-1" if person == -1 else f"{person:04d}"
            for frame in range(1, int(rng.integers(5, 13)) + 1):
                name = f"{begin}C{camera}T{number:04d}F{frame:03d}.jpg"
                write_picture(root / f"bbox_{split}" / begin / name, person, noise=1000 * camera + frame)
                names.append(name)
            rows.append((first, len(names), person, camera))
        info = root / "info"
        info.mkdir(exist_ok=True)
        (info / f"{split}_name.txt").write_text("\n".join(names) + "\n")
        savemat(info / f"tracks_{split}_info.mat", {f"track_{split}_info": np.array(rows, np.int32)})
    queries = [row for row in range(5, len(test)) if (row - 5) % 2 == 0]
    savemat(root / "info" / "query_IDX.mat", {"query_IDX": np.array([queries], np.uint16) + 1})
    return root


def write_attributes(path: Path, columns: int) -> Path:
    """Write the table of attributes of ``write_mars``: 24 columns, or the older 15 without pose and motion."""
    clothes = [9, 10, 4, *[2] * 9]
    classes = {24: [5, 6, *[2] * 7, *clothes], 15: clothes}[columns]
    keys = [(person, camera) for person in (1, 3, 5, 7) for camera in (1, 2) for _ in range(2)]
    lines = [",".join(["person_id", "camera_id", "tracklets_id", *["value"] * len(classes)])]
    for number, (person, camera) in enumerate(keys):
        values = np.random.default_rng(person).integers(0, classes)
        lines.append(",".join(map(str, [person, camera, number, *values])))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_pairs(folder: Path, cameras: tuple[str, str], names: list[str], frame: str) -> None:
    """Write a sequence of each person in each of two cameras."""
    for number, camera in enumerate(cameras):
        for person in names:
            for index in range(3, 7 + number):
                name = frame.format(camera=camera, person=person, index=index)
                digits = int("".join(sign for sign in person if sign.isdigit()))
                write_picture(folder / camera / person / name, digits, noise=100 * number + index)


def write_ilids(root: Path) -> Path:
    """Write iLIDS-VID: six people whose folder numbers have gaps."""
    names = [f"person{number:03d}" for number in (1, 2, 9, 14, 15, 319)]
    folder = root / "i-LIDS-VID" / "sequences"
    write_pairs(folder, ("cam1", "cam2"), names, "{camera}_{person}_{index:05d}.png")
    splits = np.stack([np.random.default_rng(seed).permutation(6) + 1 for seed in range(10)])
    (root / "train-test people splits").mkdir()
    savemat(root / "train-test people splits" / "train_test_splits_ilidsvid.mat", {"ls_set": splits.astype(np.uint16)})
    return root


def write_prid(root: Path) -> Path:
    """Write PRID-2011: six people in both cameras, one more in one alone."""
    names = [f"person_{number:04d}" for number in (1, 2, 5, 8, 13, 21)]
    folder = root / "prid_2011" / "multi_shot"
    write_pairs(folder, ("cam_a", "cam_b"), names, "{index:04d}.png")
    write_picture(folder / "cam_a" / "person_0300" / "0001.png", 300)
    return root


def write_duke(root: Path) -> Path:
    """Write DukeMTMC-VideoReID: names of both kinds, a tracklet that begins late and has a gap, a query twice."""
    for split, people in (("train", (1, 4)), ("query", (2, 3)), ("gallery", (2, 3, 9))):
        for person in people:
            for number in (1, 2) if split != "query" else (1,):
                camera = number if split != "gallery" or number == 2 else 1
                for frame in (2, 3, 5, 10):
                    old = f"{person:04d}C{camera}F{frame:04d}X{30000 + frame}.jpg"
                    new = f"{person:04d}_C{camera}_F{frame:04d}_X{30000 + frame}.jpg"
                    name = old if person == 4 else new
                    folder = root / split / f"{person:04d}" / f"{number:04d}"
                    write_picture(folder / name, person, noise=frame)
    return root


def write_lsvid(root: Path) -> Path:
    """Write LS-VID: three people to learn from, two to look for in three cameras."""
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for split, people in (("train", (4, 7, 8)), ("test", (11, 12))):
        for person in people:
            for camera in (1, 2, 15):
                prefix = f"tracklet_{split}/{person:04d}/{person:04d}_0001_{camera}_0000"
                for frame in (9, 10, 11):
                    write_picture(root / f"{prefix}_{frame}.jpg", person, noise=camera + frame)
                lists[split].append(f"./{prefix} {person}")
    (root / "list_sequence").mkdir()
    for split, lines in lists.items():
        (root / "list_sequence" / f"list_seq_{split}.txt").write_text("\n".join(lines) + "\n")
    (root / "test").mkdir()
    np.save(root / "test" / "query.npy", np.array([[1, 4]]))
    return root
