"""Browsers at the pages: a cookie says who calls, and forms are taken from our own pages only."""

from urllib.parse import quote
from uuid import UUID

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.sessions import Sessions
from app.errors import Forbidden, TooLarge
from app.http import forms, peer
from app.http.call import Call, header, of
from app.http.middleware import Rate, guarded
from app.http.problems import UnsupportedMediaType

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
STATIC = "/static/"
KEPT_BYTES = 50_000  # a longer form is not kept
LONGEST = 500  # a longer address is not led back to
LEAST_BYTES = 1000  # of what is compressed
_KEPT = ("/visits/", "/patients/", "/infusions/", "/alerts/")  # forms of work; others are as quickly sent again


class WhoBrowses:
    """Settles whose session a page is asked for with, and sends whoever has none to the login.

    Open addresses need none, and an unknown one is 404 for everybody. `by_themselves`: what open pages ask for without
    anybody at the screen; it keeps no session alive. Calls are counted by session, without one by address; those of
    `watched` apart from the others.
    """

    def __init__(
        self, app: ASGIApp, *, sessions: Sessions, by_themselves: frozenset[str], rate: Rate, watched: frozenset[str]
    ) -> None:
        self.app = app
        self.rate = rate
        self.watched = watched
        self.sessions = sessions
        self.by_themselves = by_themselves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or guarded(scope["path"]) or scope["path"].startswith(STATIC):
            await self.app(scope, receive, send)
            return
        secret = of(scope).secret
        if scope["method"] not in _SAFE:
            _refuse_foreign(scope, of(scope))
        by_itself = scope["path"] in self.by_themselves
        session = await self.sessions.found(secret, peer.from_loopback(scope), by_itself=by_itself) if secret else None
        kind = "watched" if scope["path"] in self.watched else "address"
        await self.rate.count(of(scope), f"session:{session.id}" if session else f"{kind}:{peer.address(scope)}")
        if session is not None:
            of(scope).session, of(scope).actor = session, session.actor
        elif _needs_session(scope):
            await (await self._to_login(scope, receive, secret))(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _to_login(self, scope: Scope, receive: Receive, secret: str | None) -> Response:
        safe, by_script = scope["method"] in _SAFE, header(scope, b"hx-request") is not None
        where = _asked(scope) if safe and not by_script else _page(scope)
        kept = (
            await self._kept(scope, receive, secret)
            if secret and not safe and scope["path"].startswith(_KEPT)
            else None
        )
        if kept is not None:
            where = f"/kept/{kept}"
        address = f"/login?next={quote(where if len(where) <= LONGEST else '/', safe='')}"
        return Response(headers={"HX-Redirect": address}) if by_script else RedirectResponse(address, 303)

    async def _kept(self, scope: Scope, receive: Receive, secret: str) -> UUID | None:
        owner = await self.sessions.expired_owner(secret)
        fields = await _fields(scope, receive) if owner else None
        return await self.sessions.keep_form(owner, scope["path"], fields) if owner and fields else None


class Smaller:
    """Answers above 1 kB are sent compressed where the client takes it."""

    def __init__(self, app: ASGIApp) -> None:
        # A long list in half the time of level 9, and hardly larger.
        self.pages = GZipMiddleware(app, minimum_size=LEAST_BYTES, compresslevel=6)
        self.api = GZipMiddleware(app, minimum_size=LEAST_BYTES, compresslevel=1)  # systems are near, and ask often

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.api if scope["type"] == "http" and guarded(scope["path"]) else self.pages)(scope, receive, send)


def _needs_session(scope: Scope) -> bool:
    found = [address for address in scope["app"].state.addresses if address.pattern.match(scope["path"])]
    return bool(found) and not all(address.is_open for address in found)


def _refuse_foreign(scope: Scope, call: Call) -> None:
    """Raises Forbidden for a form that another site sent. A browser too old to say where from sends Origin; what says
    neither is no browser, and is taken without a cookie only."""
    site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    elif origin is not None:
        ours = _is_ours(origin, call)
    else:
        ours = call.secret is None
    if not ours:
        raise Forbidden("Forms are taken from the service's own pages only.")


def _is_ours(address: str, call: Call) -> bool:
    """Whether a page's origin, or an address that begins with it, is the service's own. One that it knows by http only
    may be seen by https, behind a proxy that it has not been told of."""
    scheme, _, rest = address.partition("://")
    host, own = rest.partition("/")[0], call.origin.partition("://")[2]
    return host != "" and host == own and scheme in (("https",) if call.secure else ("http", "https"))


def _asked(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return str(scope["path"]) + (f"?{query}" if query else "")


def _page(scope: Scope) -> str:
    """The page of ours that the browser stands at, by its Referer; else the first one."""
    referer = header(scope, b"referer") or ""
    return f"/{referer.partition('://')[2].partition('/')[2]}" if _is_ours(referer, of(scope)) else "/"


async def _fields(scope: Scope, receive: Receive) -> dict[str, list[str]] | None:
    """The fields of a form, but for passwords; None for what is no form, or too long."""
    try:
        pairs = await forms.read(Request(scope, receive), KEPT_BYTES)
    except (TooLarge, UnsupportedMediaType):
        return None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if "password" not in name:
            fields.setdefault(name, []).append(value)
    return fields
