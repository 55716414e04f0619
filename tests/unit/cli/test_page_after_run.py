"""The page that stays after a run at a terminal."""

from pathlib import Path

from pipeline.cli.page_after_run import command_of


def test_the_page_after_a_run_is_served_as_the_run_served_it_at_the_same_port(tmp_path: Path) -> None:
    (tmp_path / "console").mkdir()
    (tmp_path / "console/port").write_text("8403")
    node = {"host": "127.0.0.1", "port": 8400, "names": ["cams"], "open": False, "accounts": None, "session_hours": 2.0}
    assert command_of(node, tmp_path)[3:] == [
        f"--output={tmp_path}",
        "--host=127.0.0.1",
        "--port=8403",
        "--session-hours=2.0",
        "--name=cams",
        "--login",
    ]
