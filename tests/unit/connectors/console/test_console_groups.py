"""Groups of cameras of the site: a user sees of them what the user may see."""

from pathlib import Path

from console_page import CONFIG, RunningPage, write_ledger

from connectors.console.store.accounts import Role

GROUPS = "  camera_groups: {hall: [east, west], door: [west]}\n"


def test_a_user_sees_groups_of_cameras_without_those_that_the_user_may_not_see(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG + GROUPS)
    with RunningPage(tmp_path) as page:
        with page.client("ann", Role.VIEWER) as ann:
            assert ann.get("/api/site").json()["camera_groups"] == {"hall": ["east", "west"], "door": ["west"]}
        with page.client("eva", Role.VIEWER, ("east",)) as eva:
            assert eva.get("/api/site").json()["camera_groups"] == {"hall": ["east"]}
