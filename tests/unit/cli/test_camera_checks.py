"""Cameras are looked at before a run: all that are wrong are named at once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clips import make_clip
from plugins import ROOT

from connectors.sources.hardware_decoding import DEVICES, why_not
from connectors.sources.video_file import VideoFileSource
from pipeline.cli.cameras.checks import check_cameras
from pipeline.core.errors import ConfigError

ABSENT = next((kind for kind in DEVICES if why_not(kind) is not None), "")


def test_each_of_several_recordings_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    uris = {"east": make_clip(tmp_path / "a.mp4", 5), "north": tmp_path / "no.mp4", "west": tmp_path / "text.mp4"}
    sources = {name: partial(VideoFileSource, name, str(uri)) for name, uri in uris.items()}
    config: Any = SimpleNamespace(site=SimpleNamespace(footage=None))
    plan: Any = SimpleNamespace(make_sources=sources, resume=False)
    with ThreadPoolExecutor() as pool, pytest.raises(ConfigError) as raised:
        check_cameras(config, plan, pool)
    north, west = str(raised.value).splitlines()
    assert north.startswith("site.cameras.north: ")
    assert west.startswith("site.cameras.west: ")


@pytest.mark.skipif(not ABSENT, reason="every device decodes here")
def test_an_option_that_all_cameras_share_is_one_line_with_its_own_key() -> None:
    demo = str(ROOT / "connectors/synthetic/demo/west.mp4")
    entries = {"east": demo, "north": demo, "west": {"uri": demo, "hwaccel": ABSENT}}
    sources = {name: partial(VideoFileSource, name, demo, hwaccel=ABSENT) for name in entries}
    site = SimpleNamespace(footage=None, cameras=entries)
    config: Any = SimpleNamespace(site=site, source={"file": {"hwaccel": ABSENT}})
    plan: Any = SimpleNamespace(make_sources=sources, resume=False)
    with ThreadPoolExecutor() as pool, pytest.raises(ConfigError) as raised:
        check_cameras(config, plan, pool)
    of_all, of_west = str(raised.value).splitlines()
    assert of_all.startswith(f"source.file.hwaccel: expected a device that decodes, got {ABSENT}: ")
    assert of_west.startswith("site.cameras.west.hwaccel: expected a device that decodes")
    assert "Errno" not in of_all
