"""Cameras are tried, added, changed and removed through the page; their passwords stay in files of their own."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from clips import make_clip
from console_page import RunningPage
from factories import make_sighting
from rtsp_server import RtspServer

from connectors.console.app_state import AtRest
from connectors.console.site_editing.camera_form import CameraForm, check_form, with_options_of
from connectors.console.store.accounts import Role
from pipeline.cli.cameras.command import check_camera_at_rest
from pipeline.cli.re_export import write_again
from pipeline.cli.state_at_rest import forget
from pipeline.config.composition import load_config, to_yaml
from pipeline.config.edits_of_run import cameras_of_edits
from pipeline.config.kept_cameras import with_kept_cameras
from pipeline.core.errors import ConfigError
from pipeline.ledger import Ledger

SECRET = "s3cret-of-yard"
SOURCES = dict.fromkeys(("rtsp", "rtsps", "http", "https", "s3", "kafka", "tcp", "file", "images", "device"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("media")
    make_clip(folder / "film.mp4", hw=(240, 320), noisy=True)
    with RtspServer(folder) as running:
        yield running


@pytest.fixture
def page(server: RtspServer, tmp_path: Path) -> Iterator[RunningPage]:
    folder = tmp_path / "run"
    folder.mkdir()
    live = server.url("film.mp4", endless=True)
    words = [f"site.cameras={{east: '{live}', west: '{live}'}}", f"site.camera_folders=[{tmp_path}]"]
    (folder / "config.yaml").write_text(to_yaml(load_config(["site=empty", *words, f"output_dir={folder}"])))
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append([make_sighting()])
    ledger.close()
    with RunningPage(folder, AtRest(forget, write_again, check_camera_at_rest)) as running:
        yield running


@pytest.fixture
def client(page: RunningPage) -> Iterator[httpx.Client]:
    with page.client("ada", Role.ADMINISTRATOR) as client:
        client.timeout = httpx.Timeout(180)
        yield client


def states(client: httpx.Client) -> dict[str, str]:
    return {each["camera"]: each["state"] for each in client.get("/api/cameras").json()["cameras"]}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_camera_is_tried_added_kept_removed_and_added_again(
    page: RunningPage, client: httpx.Client, server: RtspServer
) -> None:
    yard = {"camera": "yard", "address": server.url("film.mp4", endless=True, user=f"ann:{SECRET}")}
    answers = [client.post("/api/cameras/try", json=yard)]
    tried = answers[0].json()
    assert (tried["width"], tried["height"], tried["is_live"]) == (320, 240, True)
    assert 5 < tried["rate_hz"] < 20
    assert base64.b64decode(tried["picture"]).startswith(b"\xff\xd8")
    assert states(client) == {"east": "part of the run", "west": "part of the run"}  # nothing is added by a trial

    answers.append(client.post("/api/cameras", json={**yard, "reason": "a new yard"}))
    assert answers[-1].json()["state"] == "done", answers[-1].text
    edits = page.settings.output_dir / "edits.yaml"
    (entry,) = yaml.safe_load(edits.read_text())["site"]["cameras"].values()
    assert Path(entry["opener"]["password_file"]).read_text() == SECRET
    assert Path(entry["opener"]["password_file"]).stat().st_mode & 0o077 == 0
    again = load_config(["site=empty", "site.cameras={east: /a.mp4}", f"output_dir={page.settings.output_dir}"])
    assert with_kept_cameras(again, cameras_of_edits(again)).site.cameras == {"east": "/a.mp4", "yard": entry}

    answers.append(client.delete("/api/cameras", params={"camera": "yard", "reason": "moved"}))
    assert (answers[-1].json()["state"], states(client)["yard"]) == ("done", "removed")
    assert yaml.safe_load(edits.read_text())["site"]["cameras"] == {"yard": None}
    answers.append(client.post("/api/cameras/again", params={"camera": "yard"}, json={}))
    assert (answers[-1].json()["state"], states(client)["yard"]) == ("done", "part of the run")
    assert yaml.safe_load(edits.read_text())["site"]["cameras"] == {"yard": entry}

    answers += [client.get(path) for path in ("/api/cameras", "/api/rules", "/api/rules/2", "/api/audit")]
    found = answers[-4].json()
    assert [(each["by"], each["kind"], each["state"]) for each in found["history"]] == [
        ("ada", kind, "done") for kind in ("add", "remove", "add")
    ]
    assert [each["username"] for each in found["cameras"]] == ["", "", "ann"]
    assert "camera yard removed" in [each["reason"] for each in answers[-3].json()["versions"]]
    assert any("yard" in line for line in answers[-2].json()["diff"])
    assert "camera tried" in [each["what"] for each in answers[-1].json()]
    assert [answer for answer in answers if SECRET in answer.text] == []
    holding = [path for path in page.settings.output_dir.rglob("*") if path.is_file() and SECRET in read(path)]
    assert {path.parent.name for path in holding} == {"camera_passwords"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_camera_is_changed_with_the_password_it_has_and_stays_where_the_new_address_is_wrong(
    page: RunningPage, client: httpx.Client, server: RtspServer
) -> None:
    address = server.url("film.mp4", endless=True)
    yard = {"camera": "yard", "address": address, "username": "ann"}
    assert client.post("/api/cameras", json={**yard, "password": SECRET}).json()["state"] == "done"
    before = yaml.safe_load((page.settings.output_dir / "edits.yaml").read_text())
    wrong = client.put("/api/cameras", json={**yard, "address": "rtsp://127.0.0.1:1/live", "password": SECRET})
    assert wrong.status_code == 422
    assert "Nothing listens at this address" in wrong.json()["detail"]
    other = client.put("/api/cameras", json={**yard, "address": "rtsp://127.0.0.1:1/live"})
    assert "write both" in other.json()["detail"]  # the password is not sent to another address
    assert yaml.safe_load((page.settings.output_dir / "edits.yaml").read_text()) == before
    assert states(client)["yard"] == "part of the run"

    assert client.put("/api/cameras", json={**yard, "detector": "passerby"}).json()["state"] == "done"
    entry = yaml.safe_load((page.settings.output_dir / "edits.yaml").read_text())["site"]["cameras"]["yard"]
    assert entry == {**before["site"]["cameras"]["yard"], "detector": "passerby"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_saved_elsewhere_leaves_the_cameras_as_they_are(client: httpx.Client, tmp_path: Path) -> None:
    make_clip(tmp_path / "yard.mp4", noisy=True)
    refused = client.post("/api/cameras", json={"camera": "yard", "address": str(tmp_path / "yard.mp4")})
    assert refused.json()["state"] == "done", refused.text
    found = client.get("/api/rules").json()
    text = yaml.safe_dump({**found["edits"], "site": {**found["edits"]["site"], "cameras": {"yard": "tcp://host:1"}}})
    assert client.put("/api/rules", json={"rules": text, "base": found["number"]}).status_code == 422
    back = client.post("/api/rules/1/restore", params={"base": found["number"]}, json={})
    assert back.status_code == 200
    assert client.get("/api/rules").json()["edits"]["site"]["cameras"] == {"yard": str(tmp_path / "yard.mp4")}


def test_only_an_administrator_who_sees_all_cameras_asks(page: RunningPage) -> None:
    yard = {"camera": "yard", "address": "rtsp://127.0.0.1:1/live"}
    for role, cameras in ((Role.OPERATOR, None), (Role.ADMINISTRATOR, ("west",))):
        with page.client("eve", role, cameras) as client:
            asked = [
                client.get("/api/cameras"),
                client.post("/api/cameras", json=yard),
                client.put("/api/cameras", json=yard),
                client.delete("/api/cameras", params={"camera": "east"}),
                client.post("/api/cameras/again", params={"camera": "east"}, json={}),
                client.post("/api/cameras/try", json=yard),
            ]
            assert [answer.status_code for answer in asked] == [403] * len(asked)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://bucket/film.mp4", "expected rtsp://"),
        ("kafka://127.0.0.1:9092/frames", "expected rtsp://"),
        ("tcp://127.0.0.1:6379", "expected rtsp://"),
        ("gopher://127.0.0.1/", "expected rtsp://"),
        ("/etc/passwd", "expected a file or folder below"),
        ("file:///etc/passwd", "expected a file or folder below"),
        ("{films}/../secret.mp4", "expected a file or folder below"),
        ("{films}/link/secret.mp4", "expected a file or folder below"),
        ("concat:/etc/passwd", "expected a file or folder below"),
        ("rtsp://ann:${oc.env:HOME}@host/live", "expected printable text without"),
        ("rtsp://host/live\n-i /etc/passwd", "expected printable text without"),
        ("rtsp://host/live?password=s3cret", "expected no secret but"),
        ("rtsp://ann:p/ss@host/live", "expected no secret but"),
        ("rtsp://ann@host/live", "expected user and password"),
        ("rtsp://[host", "expected one, such as"),
        ("", "expected one, such as"),
    ],
)
def test_addresses_that_may_not_be_written_in_the_page(tmp_path: Path, address: str, message: str) -> None:
    films = tmp_path / "films"
    films.mkdir()
    (films / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match=message):
        check(address.replace("{films}", str(films)), films)


def test_addresses_that_may_be_written_in_the_page(tmp_path: Path) -> None:
    for address in ("rtsp://host/live", "RTSP://ann:s3cret@host/live", "0", f"{tmp_path}/a.mp4", "http://host/a.mjpg"):
        check(address, tmp_path)
    with pytest.raises(ConfigError, match="none may be added here"):
        check_form(CameraForm("yard", f"{tmp_path}/a.mp4"), SOURCES, [])


def check(address: str, films: Path) -> None:
    check_form(CameraForm("yard", address).without_password(), SOURCES, [str(films)])


def read(path: Path) -> str:
    return path.read_text(encoding="latin-1")


@pytest.mark.parametrize(
    ("entry", "before", "expected"),
    [
        ("rtsp://b", "rtsp://a", "rtsp://b"),
        ("rtsp://b", None, "rtsp://b"),
        ("rtsp://b", {"uri": "rtsp://a", "crop_xyxy": [0, 0, 9, 9]}, {"uri": "rtsp://b", "crop_xyxy": [0, 0, 9, 9]}),
        (
            {"uri": "rtsp://b", "detector": "x"},
            {"detect": "rtsp://a", "detector": {"a": 1}},
            {"uri": "rtsp://b", "detector": "x"},
        ),
        ("rtsp://b", {"uri": "rtsp://a", "detector": {"a": 1}}, {"uri": "rtsp://b", "detector": {"a": 1}}),
        ("rtsp://b", {"uri": "rtsp://a", "detector": "x"}, "rtsp://b"),
        (
            {"uri": "rtsp://b", "opener": {"username": "bea", "password_file": "/2"}},
            {"uri": "rtsp://a", "max_fps": 4, "opener": {"username": "ann", "password": "***", "transport": "udp"}},
            {"uri": "rtsp://b", "max_fps": 4, "opener": {"transport": "udp", "username": "bea", "password_file": "/2"}},
        ),
        ("rtsp://b", {"uri": "rtsp://a", "opener": {"username": "ann", "password_file": "/1"}}, "rtsp://b"),
    ],
)
def test_a_change_of_the_address_keeps_what_the_form_does_not_show(
    entry: object, before: object, expected: object
) -> None:
    assert with_options_of(entry, before) == expected


def test_a_camera_whose_other_options_are_secrets_is_not_changed_here() -> None:
    with pytest.raises(ConfigError, match="passerby cameras change"):
        with_options_of("rtsp://b", {"uri": "rtsp://a", "opener": {"token": "***"}})
