"""What the page does with cameras is kept for the next run, also where its outcome comes late, and once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.console.site_editing.camera_form import FOLDER, write_password
from connectors.console.site_editing.kept_cameras import KeptCameras, cameras_of
from connectors.console.site_editing.versions import RuleStore
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind

ADD, REMOVE, CHANGE = CameraCommandKind.ADD, CameraCommandKind.REMOVE, CameraCommandKind.CHANGE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RuleStore]:
    opened = RuleStore(tmp_path / "edits.yaml")
    yield opened
    opened.close()


def command(kind: CameraCommandKind, entry: object = None, *, keep: bool = True, at: float = 1.0) -> CameraCommand:
    return CameraCommand(kind, "yard", "ann", at, entry=entry, keep=keep)


def finished(folder: Path, given_: CameraCommand, *, is_done: bool = True) -> None:
    book = CameraBook(folder)
    book.finish(book.submit(given_), is_done=is_done, text="")


def test_an_outcome_is_kept_when_it_comes_and_by_a_page_that_began_since(tmp_path: Path, store: RuleStore) -> None:
    book = CameraBook(tmp_path)
    number = book.submit(command(ADD, "rtsp://ann@host/1"))
    kept = KeptCameras(tmp_path, lambda: store)
    kept.settle()
    assert (kept.entries(), store.newest()) == ({}, 0), "the run has not answered"
    book.finish(number, is_done=True, text="")
    again = KeptCameras(tmp_path, lambda: store)  # the page was killed
    again.settle()
    again.settle()
    assert again.entries() == {"yard": "rtsp://ann@host/1"}
    assert [each.by for each in store.versions()] == ["ann", "the configuration"], "kept once"


def test_what_was_kept_once_is_not_put_back_over_a_later_edit(tmp_path: Path, store: RuleStore) -> None:
    kept = KeptCameras(tmp_path, lambda: store)
    finished(tmp_path, command(ADD, "rtsp://host/1"))
    kept.settle()
    store.save("site: {cameras: {yard: rtsp://host/2}}\n", store.text(), by="bea", reason="", base=store.newest())
    kept.settle()
    assert kept.entries() == {"yard": "rtsp://host/2"}
    CameraBook(tmp_path).delete()  # a run begins anew in this folder, so numbers begin at 1 again
    finished(tmp_path, command(CHANGE, "rtsp://host/3", at=2.0))
    kept.settle()
    assert kept.entries() == {"yard": "rtsp://host/3"}


@pytest.mark.parametrize("keep", [True, False])
def test_only_what_is_to_be_kept_is(tmp_path: Path, store: RuleStore, keep: bool) -> None:
    finished(tmp_path, command(ADD, "rtsp://host/1", keep=keep))
    kept = KeptCameras(tmp_path, lambda: store)
    kept.settle()
    assert bool(kept.entries()) == keep


def test_a_camera_comes_back_as_it_was_or_as_it_is_configured(tmp_path: Path, store: RuleStore) -> None:
    kept = KeptCameras(tmp_path, lambda: store)
    finished(tmp_path, command(REMOVE, at=1.0))
    finished(tmp_path, command(ADD, at=2.0))
    kept.settle()
    assert kept.entries() == {}, "the configuration has it"
    finished(tmp_path, command(CHANGE, {"uri": "rtsp://host/1", "max_fps": 5}, at=3.0))
    finished(tmp_path, command(REMOVE, at=4.0))
    kept.settle()
    assert kept.entries() == {"yard": None}
    finished(tmp_path, command(ADD, at=5.0))
    kept.settle()
    assert kept.entries() == {"yard": {"uri": "rtsp://host/1", "max_fps": 5}}


@pytest.mark.parametrize("is_done", [True, False])
def test_a_password_goes_with_a_command_that_is_refused(tmp_path: Path, store: RuleStore, is_done: bool) -> None:
    file = write_password(tmp_path / FOLDER, "s3cret")
    entry = {"uri": "rtsp://host/1", "opener": {"username": "ann", "password_file": str(file)}}
    finished(tmp_path, command(ADD, entry), is_done=is_done)
    KeptCameras(tmp_path, lambda: store).settle()
    assert file.exists() == is_done


def test_a_password_stays_that_a_version_has_and_one_that_is_not_ours(tmp_path: Path, store: RuleStore) -> None:
    kept_file, other = write_password(tmp_path / FOLDER, "s3cret"), write_password(tmp_path / "elsewhere", "s3cret")
    for file, is_done in ((kept_file, True), (kept_file, False), (other, False)):
        entry = {"uri": "rtsp://host/1", "opener": {"username": "ann", "password_file": str(file)}}
        finished(tmp_path, command(CHANGE, entry), is_done=is_done)
    KeptCameras(tmp_path, lambda: store).settle()
    assert kept_file.exists()
    assert other.exists()


@given(st.lists(st.tuples(st.sampled_from([ADD, CHANGE, REMOVE]), st.booleans(), st.booleans()), max_size=8))
def test_the_last_command_that_was_done_holds_however_often_one_looks(
    tmp_path_factory: pytest.TempPathFactory, given_: list[tuple[CameraCommandKind, bool, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    store = RuleStore(folder / "edits.yaml")
    kept = KeptCameras(folder, lambda: store)
    expected: dict[str, object] = {}
    for number, (kind, is_done, looks) in enumerate(given_):
        entry = None if kind is REMOVE else f"rtsp://host/{number}"
        finished(folder, command(kind, entry, at=float(number)), is_done=is_done)
        expected = {"yard": entry} if is_done else expected
        if looks:
            kept.settle()
    kept.settle()
    assert cameras_of(store.text()) == expected
    store.close()
