"""The files that pages load: scripts, styles and pictures, from memory, and for ever as long as they are the same."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from monitor.api.forms import takes_gzip
from monitor.api.problems import ProblemError
from monitor.web.bundle import bundled

__all__ = ["Asset", "assets", "build", "router"]

router = APIRouter(include_in_schema=False)

MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
"""What is served; anything else among the files, such as licences, stays where it is."""

STYLES = ("leeway.css", "vendor/uplot.css", "pages.css")
"""Of pages that a module draws, in their order."""

FOR_EVER = "public, max-age=31536000, immutable"
UNTIL_IT_CHANGES = "no-cache"
"""Of an address that another build has made: a page may be older or newer than this process."""


@dataclass(frozen=True)
class Asset:
    """A file as browsers get it."""

    content: bytes
    packed: bytes
    media_type: str
    etag: str


@router.get("/static/{of_build}/{name:path}")
async def show_asset(request: Request, of_build: str, name: str) -> Response:
    asset = assets().get(name)
    if asset is None:
        raise ProblemError("not-found", f"there is no file {name!r}")
    headers = {
        "Cache-Control": FOR_EVER if of_build == build() else UNTIL_IT_CHANGES,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not takes_gzip(request):
        return Response(asset.content, headers=headers, media_type=asset.media_type)
    headers["Content-Encoding"] = "gzip"
    return Response(asset.packed, headers=headers, media_type=asset.media_type)


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file, by its path below `static/`, and those that are made of them: all modules, and all styles."""
    contents = dict(sorted(_contents(files("monitor.web") / "static", "")))
    modules = {name: content.decode() for name, content in contents.items() if name.endswith(".js")}
    contents["bundle/pages.js"] = bundled(modules, "app.js").encode()
    contents["bundle/pages.css"] = b"".join(contents[name] for name in STYLES)
    return {name: _asset(content, name) for name, content in contents.items()}


@cache
def build() -> str:
    """Return what names this very set of files: it is part of every address, so that no browser mixes two of them."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(f"{name}\0{asset.etag}\0".encode())
    return digest.hexdigest()[:16]


def _contents(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _contents(entry, f"{path}{entry.name}/")
        elif _suffix(entry.name) in MEDIA_TYPES:
            yield path + entry.name, entry.read_bytes()


def _asset(content: bytes, name: str) -> Asset:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Asset(content, gzip.compress(content, mtime=0), MEDIA_TYPES[_suffix(name)], etag)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
