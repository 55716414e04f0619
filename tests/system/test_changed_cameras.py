"""Cameras are added and removed while a run goes on, by the command; a run that was killed goes on with them."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from footage import write_clip
from rtsp_server import RtspServer
from running import Finished, interrupt, start
from test_faults import summary, wait_for

from connectors.console.site_editing.cameras import SiteCameras
from connectors.console.site_editing.kept_cameras import KeptCameras
from connectors.console.site_editing.versions import RuleStore
from pipeline.cli.cameras.command import list_cameras, main
from pipeline.ledger import LedgerReader

pytestmark = [pytest.mark.shared, pytest.mark.slow]

PUBLIC = ["detector=yolox_onnx", "embedder=omz_0288"]
SECRET = "s3cret"


def seen(out: Path) -> list[str]:
    """The camera of each sighting so far."""
    path = out / "sightings.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line)["camera_id"] for line in lines]


def camera(url: str, *keys: str) -> str:
    """A live camera that is read slowly: what is tested takes no more."""
    block = ", ".join([f"uri: '{url}'", "max_fps: 4", *keys])
    return f"{{{block}}}"


def busy_detectors(out: Path) -> dict[str, int]:
    """The frames that each detector has looked at."""
    busy = json.loads((out / "status.json").read_text())["busy"]
    return {name: stage["items"] for name, stage in busy.items() if name.startswith("detect")}


class ChangedRun:
    """A run of one live camera, east, and the commands that change its cameras."""

    def __init__(
        self, server: RtspServer, out: Path, shared: Path, capsys: pytest.CaptureFixture[str], *words: str
    ) -> None:
        self.out, self._capsys = out, capsys
        url = server.url("film.mp4", endless=True)
        weights = f"weights_dir={shared / 'models'}"
        self._words = [*PUBLIC, *words, weights, f"output_dir={out}", f"site.cameras={{east: {camera(url)}}}"]
        self._process: subprocess.Popen[str]

    def start(self, *words: str) -> None:
        self._process = start([*self._words, *words], CAMERA_PASSWORD=SECRET)

    def command(self, *words: str) -> tuple[int, str]:
        code = main([words[0], str(self.out), *words[1:]])
        said = self._capsys.readouterr()
        return code, said.out + said.err

    def wait_until_seen(self, camera_ids: set[str], after: int = 0) -> None:
        def happened() -> bool:
            assert self._process.poll() is None, self._process.communicate()
            return camera_ids <= set(seen(self.out)[after:])

        wait_for(happened, 240)  # a busy machine takes its time to start a cluster

    def states(self) -> dict[str, str]:
        return {row["camera"]: row["state"] for row in list_cameras(self.out)}

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End a run that a failed test left."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=90)

    def interrupt(self) -> Finished:
        return interrupt(self._process)


@pytest.fixture
def media(clip: Path, tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    write_clip(clip, tmp_path / "media/film.mp4", 40)
    return tmp_path / "media"


@pytest.mark.timeout(600)
def test_cameras_come_and_go_and_a_killed_run_goes_on_with_them(
    media: Path, tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with RtspServer(media) as server, ChangedRun(server, out, shared, capsys, "runtime=inline") as run:
        url = server.url("film.mp4", endless=True)
        run.start()
        run.wait_until_seen({"east"})
        assert run.command("add", f"east={url}")[0] == 2
        code, said = run.command("add", f"gone=rtsp://ann:{SECRET}@127.0.0.1:1/live")
        assert (code, SECRET in said, "Connection refused" in said) == (2, False, True)
        assert run.command("remove", "east")[1].startswith("error: cameras remove: expected another camera")
        code, said = run.command("add", f"roof={camera(url, 'detector: fisheye')}")
        assert (code, said.count("\n")) == (2, 1)
        assert said.startswith("error: site.cameras.roof.detector: expected one of ")
        own = camera(url, "detector: {min_score: 0.05}")
        code, said = run.command("add", f"west={own}", "--by", "ann")
        assert (code, said) == (0, f"camera west is added: {url}\n")
        zone = "{camera: west, polygon: [[0, 0], [768, 0], [768, 576], [0, 576]], max_dwell_s: 0.5}"
        (out / "edits.part").write_text(f"site: {{zones: {{all: {zone}}}}}\nalerts: {{zone_dwell: {{}}}}\n")
        (out / "edits.part").replace(out / "edits.yaml")
        wait_for(lambda: (out / "alerts.jsonl").read_text().endswith("\n"), 120)
        assert run.states() == {"east": "is read", "west": "is read"}
        wait_for(lambda: len(busy_detectors(out)) == 2 and all(busy_detectors(out).values()), 20)
        run.kill()

        with_password = server.url("film.mp4", endless=True, user="ann:${oc.env:CAMERA_PASSWORD}")
        assert "CAMERA_PASSWORD" in run.command("add", f"yard={camera(with_password)}")[1]
        monkeypatch.setenv("CAMERA_PASSWORD", SECRET)
        code, said = run.command("add", f"yard={camera(with_password)}")
        assert code == 0, said
        before = len(seen(out))
        run.start("resume=true")
        run.wait_until_seen({"east", "west", "yard"}, after=before)
        code, said = run.command("remove", "east")
        assert code == 0, said
        assert run.states()["east"] == "removed"
        finished = run.interrupt()
    assert finished.code == 0, finished.err
    cameras: Any = summary(out)["cameras"]
    assert set(cameras) == {"east", "west", "yard"}
    assert cameras["east"]["removed_at"] is not None
    assert cameras["west"]["error"] is None
    alerts = [json.loads(line) for line in (out / "alerts.jsonl").read_text().splitlines()]
    assert {alert["camera_id"] for alert in alerts} == {"west"}
    reader = LedgerReader(out / "ledger.sqlite")
    actions = [(entry.by, entry.action) for entry in reader.audit() if entry.subject == "camera west"]
    reader.close()
    assert actions == [("ann", "cameras add"), ("ann", "cameras add done")]
    leaks = [path.name for path in out.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert leaks == ["cameras.sqlite"]  # what was typed as text; only its owner may read it


@pytest.mark.timeout(600)
def test_a_camera_is_changed_whole_or_not_at_all_and_a_killed_run_goes_on_with_the_change(
    media: Path, tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (media / "other.mp4").write_bytes((media / "film.mp4").read_bytes())

    def addresses() -> dict[str, str]:
        written = yaml.safe_load((out / "config.yaml").read_text())["site"]["cameras"]
        return {name: entry["uri"] for name, entry in written.items()}

    with RtspServer(media) as server, ChangedRun(server, out, shared, capsys, "runtime=inline") as run:
        film, other = (server.url(f"{name}.mp4", endless=True) for name in ("film", "other"))
        run.start()
        run.wait_until_seen({"east"})
        assert run.command("change", f"east={other}")[1].startswith("error: cameras change: expected another camera")
        assert run.command("add", f"west={camera(film)}")[0] == 0
        code, said = run.command("change", "west=rtsp://127.0.0.1:1/live")
        assert (code, "Connection refused" in said, "--force" in said) == (2, True, True)
        run.wait_until_seen({"west"}, after=len(seen(out)))
        code, said = run.command("change", f"east={camera(other)}", "--by", "ann")
        assert (code, said) == (0, f"camera east is changed: {other}\n")
        run.wait_until_seen({"east"}, after=len(seen(out)))
        assert run.states() == {"east": "is read", "west": "is read"}
        names = addresses()
        assert names["east"] != names["west"]
        run.kill()
        assert run.command("change", f"west={camera(other)}")[1].endswith("when the run is continued (resume=true)\n")
        before = len(seen(out))
        run.start("resume=true")
        run.wait_until_seen({"east", "west"}, after=before)
        assert addresses() == dict.fromkeys(names, names["east"])
        finished = run.interrupt()
    assert finished.code == 0, finished.err
    assert {entry["error"] for entry in summary(out)["cameras"].values()} == {None}


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_cameras_come_and_go_on_ray(
    media: Path, tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    alone = ["runtime=ray", "runtime.cameras_per_process=1"]
    with RtspServer(media) as server, ChangedRun(server, out, shared, capsys, *alone) as run:
        url = server.url("film.mp4", endless=True)
        run.start()
        run.wait_until_seen({"east"})
        code, said = run.command("add", f"west={camera(url, 'detector: {min_score: 0.05}')}", "--wait", "240")
        assert code == 0, said
        wait_for(lambda: len(busy_detectors(out)) == 2 and all(busy_detectors(out).values()), 60)
        code, said = run.command("remove", "east")  # with its process
        assert code == 0, said
        run.wait_until_seen({"west"}, after=len(seen(out)))
        assert run.states() == {"east": "removed", "west": "is read"}
        finished = run.interrupt()
    assert finished.code == 0, finished.err
    cameras: Any = summary(out)["cameras"]
    assert {name: entry["error"] for name, entry in cameras.items()} == {"east": None, "west": None}
    assert cameras["east"]["removed_at"] is not None


def test_a_run_that_is_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["list"], ["add"], ["change"], ["remove"]):
        assert main([*words, str(tmp_path / "none"), *([] if words == ["list"] else ["east=0"])]) in (1, 2)
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        assert "expected the output folder of a run" in said


@pytest.mark.timeout(600)
def test_an_offset_that_is_accepted_moves_the_times_of_a_live_camera_and_is_taken_back(
    media: Path, tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with RtspServer(media) as server, ChangedRun(server, out, shared, capsys, "runtime=inline") as run:
        run.start()
        run.wait_until_seen({"east"})
        assert run.command("add", f"west={camera(server.url('film.mp4', endless=True))}")[0] == 0
        store = RuleStore(out / "edits.yaml")
        cameras = SiteCameras(out, KeptCameras(out, lambda: store), None)
        for text, offset_s in (("site: {offset_s: {west: -2.0}}\n", -2.0), ("site: {}\n", 0.0)):
            store.save(text, "", by="ann", reason="learned", base=store.newest())
            assert cameras.read_anew(["west"], by="ann", reason="learned") == {"west": "applied"}

            def is_moved(by_s: float = offset_s) -> bool:
                written = yaml.safe_load((out / "config.yaml").read_text())["site"]["cameras"]["west"]
                west = json.loads((out / "status.json").read_text())["cameras"].get("west")
                is_read = west is not None and west["away"] is None and abs(west["clock_ahead_s"] - by_s) < 0.9
                return is_read and written.get("offset_s", 0.0) == by_s

            wait_for(is_moved, 120)
        store.close()
        assert run.interrupt().code == 0
