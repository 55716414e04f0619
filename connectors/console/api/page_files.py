"""Routes of the page's files: they are read once at the start, so no request reads the disk."""

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

FOLDER = Path(__file__).resolve().parents[1] / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class PageFiles:
    """Serves the files in ``page/``."""

    def __init__(self) -> None:
        self._files = {
            path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in FOLDER.rglob("*") if path.suffix in TYPES
        }

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.index, methods=["GET"])
        router.add_api_route("/page/{name:path}", self.file, methods=["GET"])
        return router

    def index(self) -> Response:
        """Return the page's HTML."""
        return self.file("index.html")

    def file(self, name: str) -> Response:
        """Return a file of the page."""
        if name not in self._files:
            raise HTTPException(404, "there is no such file")
        return Response(self._files[name], media_type=TYPES[Path(name).suffix], headers={"cache-control": "no-cache"})
