"""The floor plan: uploaded, encoded anew, given a scale by two points, and deleted."""

import io
from pathlib import Path

import httpx
import pytest
from console_page import RunningPage
from PIL import Image, PngImagePlugin

from connectors.console.store.accounts import Role

SCALE = {"first_px": [10, 50], "second_px": [110, 50], "length_m": 5}


def drawing(kind: str = "PNG") -> bytes:
    """A line on nothing, with a word that is not to be kept."""
    image = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 40, 200, 60))
    words = PngImagePlugin.PngInfo()
    words.add_text("author", "somebody")
    written = io.BytesIO()
    image.save(written, kind, **({"pnginfo": words} if kind == "PNG" else {}))
    return written.getvalue()


def post(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/api/floor-plan", content=data, headers={"content-type": "image/png"})


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_plan_is_uploaded_given_a_scale_and_deleted(tmp_path: Path, kind: str) -> None:
    with RunningPage(tmp_path / "run") as page, page.client("ada", Role.ADMINISTRATOR) as client:
        assert client.get("/api/floor-plan").json() == {}
        assert client.post("/api/floor-plan/scale", json=SCALE).status_code == 422
        assert post(client, drawing(kind)).json() == {"width": 200, "height": 100, "metres_per_px": None}
        data = client.get("/api/floor-plan/picture").content
        with Image.open(io.BytesIO(data)) as kept:
            assert (kept.format, kept.getpixel((5, 5)), kept.getpixel((5, 50))) == ("PNG", (255, 255, 255), (0, 0, 0))
        assert b"somebody" not in data
        assert client.post("/api/floor-plan/scale", json=SCALE).json()["metres_per_px"] == 0.05
        near = client.post("/api/floor-plan/scale", json={**SCALE, "second_px": [12, 50]})
        assert (near.status_code, "farther apart" in near.json()["detail"]) == (422, True)
        beside = client.post("/api/floor-plan/scale", json={**SCALE, "second_px": [99999, 0]})
        assert (beside.status_code, "on the plan of 200x100" in beside.json()["detail"]) == (422, True)
        found = {"width": 200, "height": 100, "metres_per_px": 0.05}
        assert client.get("/api/floor-plan").json() == client.get("/api/site").json()["floor_plan"] == found
        assert post(client, drawing(kind)).json()["metres_per_px"] is None  # another picture has another scale
        assert client.delete("/api/floor-plan").status_code == 200
        assert client.get("/api/floor-plan/picture").status_code == 404
        audit = [each["about"] for each in client.get("/api/audit").json() if each["what"] == "floor plan"]
        assert audit == ["deleted", "uploaded, 200x100", "scale of 0.05 metres a pixel", "uploaded, 200x100"]


@pytest.mark.parametrize("data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"", drawing()[:60]])
def test_what_is_no_picture_changes_nothing(tmp_path: Path, data: bytes) -> None:
    with RunningPage(tmp_path / "run") as page, page.client("ada", Role.ADMINISTRATOR) as client:
        post(client, drawing())
        client.post("/api/floor-plan/scale", json=SCALE)
        assert post(client, data).status_code == 415
        assert post(client, bytes(9_000_000)).status_code == 413
        assert client.get("/api/floor-plan").json()["metres_per_px"] == 0.05


def test_a_plan_of_several_megabytes_is_taken(tmp_path: Path) -> None:
    noise = Image.effect_noise((1500, 1000), 90)
    written = io.BytesIO()
    noise.convert("RGB").save(written, "PNG")
    with RunningPage(tmp_path / "run") as page, page.client("ada", Role.ADMINISTRATOR) as client:
        assert len(written.getvalue()) > 1_000_000
        assert post(client, written.getvalue()).json()["width"] == 1500
        refused = post(client, bytes(9_000_000))
        assert (refused.status_code, refused.json()["detail"]) == (413, "expected at most 8000000 bytes")


def test_who_sees_all_cameras_sees_the_plan_and_administrators_change_it(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page:
        for role, cameras, may_see in ((Role.OPERATOR, None, True), (Role.ADMINISTRATOR, ("west",), False)):
            with page.client("eve", role, cameras) as client:
                assert client.get("/api/floor-plan").status_code == (200 if may_see else 403)
                assert client.get("/api/floor-plan/picture").status_code == (404 if may_see else 403)
                assert client.get("/api/site").json()["floor_plan"] is None
                refused = [post(client, drawing()), client.delete("/api/floor-plan")]
                refused.append(client.post("/api/floor-plan/scale", json=SCALE))
                assert [answer.status_code for answer in refused] == [403, 403, 403]
