"""Cameras are looked at before a run: all that are wrong are named at once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clips import make_clip

from connectors.sources.video_file import VideoFileSource
from pipeline.cli.cameras.checks import check_cameras
from pipeline.core.errors import ConfigError


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
