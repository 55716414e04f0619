"""Search by picture: what may be uploaded, and who is found."""

import io
import json
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from console_page import PART, RunningPage, make_jpeg
from PIL import Image

from connectors.console.api.security_middleware import MAX_BODY, MAX_LARGE
from connectors.console.api.upload import MAX_SIDE_PX, MAX_UPLOAD, decode_upload
from connectors.console.camera.best_pictures import MARGIN
from connectors.console.search.networks import BLANK
from connectors.console.search.probability import ProbabilityScale
from connectors.console.search.turns import BUSY, MAX_WAITING
from connectors.console.store.accounts import Role
from connectors.console.store.pictures import Picture
from pipeline.config.composition import load_config, to_yaml
from pipeline.core.errors import ConfigError, DataError

DEMO = Path("connectors/synthetic/demo")


def coat(colour: tuple[int, int, int], seed: int) -> bytes:
    """Return a picture that a network can distinguish: one colour above, another below."""
    random = np.random.default_rng(seed)
    image = np.full((160, 64, 3), 90, np.uint8)
    image[24:80, 12:52], image[80:150, 18:46] = colour, (40, 40, 60)
    noisy = np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noisy)[1])


RED, BLUE = (30, 30, 200), (200, 60, 30)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A run with the default networks; person 1 wears red in both cameras, all others wear blue."""
    folder = tmp_path_factory.mktemp("run")
    with RunningPage(folder) as running:
        for seed, (span, person_id) in enumerate(running.spans()):
            picture = coat(RED if person_id == 1 else BLUE, seed)
            running.state.pictures.put(Picture(span.part, span.first_at, 10.0, picture))
        cameras = "site.cameras={east: /a.mp4, west: /b.mp4}"
        (folder / "config.yaml").write_text(
            to_yaml(load_config([cameras, "detector=passerby", "runtime=inline", "threads=1"]))
        )
        yield running


@pytest.fixture(scope="module")
def client(page: RunningPage) -> Iterator[httpx.Client]:
    with page.client("ann") as logged_in:
        yield logged_in


def search(client: httpx.Client, picture: bytes, kind: str = "image/jpeg") -> httpx.Response:
    return client.post("/api/search/picture", content=picture, headers={"content-type": kind})


def test_the_person_in_an_uploaded_picture_is_found_with_a_probability(client: httpx.Client) -> None:
    answer = search(client, coat(RED, 99)).json()
    assert answer["is_whole"]  # the detector finds no person in a drawing
    (person,) = answer["people"]
    assert person["found"][0]["person"] == 1
    sure = [each["probability"] for each in person["found"]]
    assert sure == sorted(sure, reverse=True)
    assert 0.5 < sure[0] <= 1.0
    assert "distance" not in json.dumps(answer)


def test_a_cut_out_of_one_person_shows_one_person(page: RunningPage) -> None:
    video = cv2.VideoCapture(str(DEMO / "north.mp4"))
    heights = []
    while len(heights) < 5:
        bgr = [video.read()[1] for _ in range(20)][-1]
        image = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        for left, top, right, bottom in page.state.networks.people_in(image):
            margin = round(MARGIN * (bottom - top))
            cut_out = image[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
            found = page.state.networks.people_in(cut_out)
            heights.append((found[0][3] - found[0][1]) / (bottom - top) if found else 0)
    assert min(heights) > 0.8


def test_a_sighting_finds_the_person_in_the_other_camera(client: httpx.Client) -> None:
    found = client.get("/api/search/sighting", params={"track": "east/0/1", "part": 0}).json()["found"]
    assert (found[0]["person"], found[0]["picture"]["track"]) == (1, "west/0/1")


def test_a_search_leaves_out_cameras_that_the_user_may_not_see(page: RunningPage) -> None:
    with page.client("bob", Role.OPERATOR, ("west",)) as bob:
        found = search(bob, coat(RED, 99)).json()["people"][0]["found"]
        assert {each["picture"]["track"].split("/")[0] for each in found} == {"west"}
        assert bob.get("/api/search/sighting", params={"track": "east/0/1", "part": 0}).status_code == 404


def test_a_viewer_cannot_upload_and_every_search_is_in_the_audit(page: RunningPage, client: httpx.Client) -> None:
    with page.client("vic", Role.VIEWER) as viewer:
        assert search(viewer, coat(RED, 1)).status_code == 403
    search(client, coat(RED, 1))
    newest = page.state.ledger_view.audit()[-1]
    assert (newest.by, newest.action, newest.subject) == ("ann", "search", "by a picture of 64x160 with 0 people")


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + bytes(64), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff"]
)
def test_a_file_of_another_type_is_refused(client: httpx.Client, data: bytes) -> None:
    assert search(client, data, "image/png").status_code == 415


def test_a_picture_of_too_many_bytes_is_refused(client: httpx.Client) -> None:
    assert search(client, bytes(MAX_UPLOAD + 1)).status_code == 413
    assert search(client, bytes(MAX_BODY + 1)).status_code == 415  # above the limit of other requests


def test_few_uploads_are_read_at_once(page: RunningPage) -> None:
    head = f"POST /api/search/picture HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nContent-Length: 1000\r\n\r\n"
    waiting = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(MAX_LARGE + 1)]
    for each in waiting:
        each.sendall(head.encode() + b"x")
    ready, _, _ = select.select(waiting, [], [], 30)
    assert len(ready) == 1
    assert b" 429 " in ready[0].recv(100)
    for each in waiting:
        each.close()


def test_a_small_file_of_very_many_pixels_is_refused() -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < MAX_UPLOAD
    with pytest.raises(DataError, match="scale it"):
        decode_upload(bomb.getvalue())


def test_an_upload_is_rotated_by_its_exif_data_and_scaled_down() -> None:
    image = Image.new("RGB", (2 * MAX_SIDE_PX, MAX_SIDE_PX), "red")
    rotated = image.getexif()
    rotated[0x0112] = 6  # the camera was held on its side
    file = io.BytesIO()
    image.save(file, "JPEG", exif=rotated, comment=b"secret")
    drawn = decode_upload(file.getvalue())
    assert drawn.shape == (MAX_SIDE_PX, MAX_SIDE_PX // 2, 3)


def test_a_search_without_the_networks_of_the_run_says_so(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as running, running.client("ann") as client:
        answer = search(client, make_jpeg())
        assert answer.status_code == 409
        assert "needs the networks of the run" in answer.json()["detail"]


def test_a_picture_that_shows_nothing_is_refused_for_that_and_not_for_the_networks(tmp_path: Path) -> None:
    grey = io.BytesIO()
    Image.new("RGB", (400, 300), (128, 128, 128)).save(grey, "PNG")
    with RunningPage(tmp_path / "run") as running, running.client("ann") as client:
        answer = search(client, grey.getvalue())
        assert (answer.status_code, answer.json()["detail"]) == (422, BLANK)


def test_other_requests_are_answered_while_many_searches_wait_for_the_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release = threading.Event(), threading.Event()

    def blocked(*_: object, **__: object) -> tuple[list[object], int]:
        started.set()
        assert release.wait(60)
        return [], 7

    with RunningPage(tmp_path / "run") as running, running.client("ann") as client:
        running.add_pictures()
        monkeypatch.setattr(running.state.similarity, "rank", blocked)
        with ThreadPoolExecutor(60) as pool:
            waiting = [pool.submit(client.get, "/api/search/sighting", params=PART, timeout=60) for _ in range(60)]
            assert started.wait(30)
            assert client.get("/api/privacy", timeout=20).status_code == 200
            release.set()
            answers = [each.result() for each in waiting]
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) <= {200, 429}
    assert codes[200] > MAX_WAITING
    assert {answer.json()["detail"] for answer in answers if answer.status_code == 429} <= {BUSY}


def test_probabilities_follow_the_learned_calibration(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(load_config(["site.cameras={east: /a.mp4}"])))
    probability_scale = ProbabilityScale(tmp_path)
    (before,) = probability_scale.probabilities([0.6])
    (tmp_path / "status.json").write_text(json.dumps({"match": {"calibration_model": [0.2, 0.1, 0.5, 0.1]}}))
    (after,) = probability_scale.probabilities([0.6])
    assert after < before
    assert probability_scale.curve()["is_learned"]
    (tmp_path / "config.yaml").write_text("site: {}")
    with pytest.raises(ConfigError, match="calibration of a run"):
        probability_scale.probabilities([0.6])
