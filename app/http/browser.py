"""Browsers at the pages: who calls is told by a cookie, and forms are taken from our own pages only."""

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.sessions import COOKIE, Session
from app.errors import Forbidden
from app.http.call import header, of
from app.http.middleware import from_loopback, guarded

Found = Callable[[str, bool], Awaitable[Session | None]]
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
STATIC = "/static/"


class WhoBrowses:
    """Settles whose session a page is asked for with, and sends whoever has none to the login. `open_paths` need none."""

    def __init__(self, app: ASGIApp, *, found: Found, open_paths: frozenset[str]) -> None:
        self.app = app
        self.found = found
        self.open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or guarded(scope["path"]) or scope["path"].startswith(STATIC):
            await self.app(scope, receive, send)
            return
        secret = secret_of(scope)
        if scope["method"] not in _SAFE:
            _refuse_foreign(scope)
        session = await self.found(secret, from_loopback(scope)) if secret else None
        if session is not None:
            of(scope).session, of(scope).actor = session, session.actor
        elif scope["path"] not in self.open_paths:
            await _to_login(scope)(scope, receive, send)
            return
        await self.app(scope, receive, send)


class Smaller(GZipMiddleware):
    """Pages are sent compressed; JSON answers go as they are, their tags stand for every byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not guarded(scope["path"]):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def secret_of(scope: Scope) -> str | None:
    """What the session's cookie holds."""
    cookies = SimpleCookie()
    try:
        cookies.load(header(scope, b"cookie") or "")
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


def _refuse_foreign(scope: Scope) -> None:
    """Raises Forbidden for a form that another site sent. A browser too old to say where from sends Origin; what says neither is no browser."""
    site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
    same = origin is not None and urlsplit(origin).netloc == header(scope, b"host")
    if site not in ("same-origin", "none") and (site is not None or not same):
        raise Forbidden("Forms are taken from the service's own pages only.")


def _to_login(scope: Scope) -> Response:
    query = scope["query_string"].decode("latin-1")
    where = scope["path"] + (f"?{query}" if query else "") if scope["method"] in _SAFE else "/"
    address = f"/login?next={quote(where, safe='')}"
    if header(scope, b"hx-request") is not None:
        return Response(status_code=200, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def keep(answer: Response, secret: str | None, *, secure: bool) -> Response:
    """The answer with the session's cookie, or, for None, with the word to forget it. `secure`: the request came by https."""
    lasting = "" if secret else "; Max-Age=0"
    MutableHeaders(raw=answer.raw_headers).append(
        "set-cookie", f"{COOKIE}={secret or ''}; Path=/; HttpOnly; SameSite=Lax{lasting}{'; Secure' if secure else ''}"
    )
    return answer
