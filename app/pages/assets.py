"""What pages load: the stylesheet, the script and vendored files, each under a name with its content's hash, so that it
may be kept for ever."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from app.errors import NotFound

router = APIRouter(include_in_schema=False)
_ROOMS = {"style.css": "static", "icon.svg": "static", "app.js": "static", "htmx.min.js": "vendor"}
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@cache
def _content(name: str) -> bytes:
    return files("app.pages").joinpath(_ROOMS[name], name).read_bytes()


@cache
def address(name: str) -> str:
    """Where a page finds a file."""
    stem, _, ending = name.rpartition(".")
    return f"/static/{stem}.{sha256(_content(name)).hexdigest()[:12]}.{ending}"


@cache
def _names() -> dict[str, str]:
    return {address(name): name for name in _ROOMS}


@router.get("/static/{name}")
async def asset(name: str) -> Response:
    """A file under its hashed name. Raises NotFound."""
    found = _names().get(f"/static/{name}")
    if found is None:
        raise NotFound
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(_content(found), media_type=_TYPES[found.rpartition(".")[2]], headers=headers)
