from pathlib import Path

import pytest

from pipeline.core.camera_uri import file_path, uri_kind


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("0", "device"),
        ("²", "file"),
        ("rtsps://ann:s3cret@host/1", "rtsps"),
        ("Kafka://host/topic", "kafka"),
        ("east.mp4", "file"),
        ("file:///a/east.mp4", "file"),
    ],
)
def test_a_uri_has_one_kind(uri: str, kind: str) -> None:
    assert uri_kind(uri) == kind


@pytest.mark.parametrize("name", ["plain", "100%25 ü", "a:b"])
def test_a_folder_has_the_same_kind_as_a_path_and_as_a_url(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    assert uri_kind(str(folder)) == uri_kind(folder.as_uri()) == "file"
    folder.mkdir()
    assert uri_kind(str(folder)) == uri_kind(folder.as_uri()) == "images"
    assert file_path(str(folder)) == file_path(folder.as_uri()) == folder
    assert file_path(folder.as_uri().replace("file://", "FILE://")) == folder
