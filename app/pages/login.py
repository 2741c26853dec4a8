"""Login, log-out, and what a reader sets for the session: language, single-letter keys, hidden names; and the demo's
day."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.sessions import Sessions
from app.actor import Act
from app.errors import FollowUpError, Invalid, RateLimited, Unauthenticated
from app.http import cookie, peer, problems
from app.http.browser import LONGEST
from app.http.call import of
from app.http.deps import Needs
from app.pages import forms
from app.pages.page import LOCALES, PageRoute, back_to, render, session_of

router = APIRouter(include_in_schema=False, route_class=PageRoute)
OPEN = frozenset({"/login", "/login/demo", "/static/{name}"})
DEMO = ("demo-nurse-lund", "demo-clinician-lund", "demo-coordinator-lund", "demo-nurse-uppsala")


def _sessions(request: Request) -> Sessions:
    found: Sessions = request.app.state.sessions
    return found


def _inside(where: str | None) -> str:
    """An address of this service only: nobody is sent elsewhere after login."""
    return where if where and where.startswith("/") and not where.startswith("//") and "\\" not in where else "/"


def _come_in(request: Request, secret: str, where: str | None) -> Response:
    return cookie.give(back_to(_inside(where)), secret, secure=of(request.scope).secure)


@router.get("/login")
async def login_form(
    request: Request,
    where: Annotated[str, Query(alias="next", max_length=LONGEST)] = "/",
    language: str = "sv",
) -> Response:
    """The form; in the demo also one-click logins."""
    return _login(request, {"next": where, "username": ""})


def _login(
    request: Request, given: dict[str, str], refusal: FollowUpError | None = None, status: int = 200
) -> Response:
    return render(
        request, "login.html", status, given=given, refusal=refusal, demo=DEMO if request.app.state.one_click else ()
    )


@router.post("/login")
async def log_in(request: Request) -> Response:
    """A session under a new id."""
    given = await forms.fields(request)
    address, before = peer.address(request.scope), of(request.scope).secret
    try:
        secret = await _sessions(request).log_in(
            given.get("username", ""), given.get("password", ""), address, before=before
        )
    except (Unauthenticated, RateLimited) as refusal:
        return _login(
            request,
            {"next": given.get("next", "/"), "username": given.get("username", "")},
            refusal,
            status=401 if isinstance(refusal, Unauthenticated) else 429,
        )
    return _come_in(request, secret, given.get("next"))


@router.post("/login/demo")
async def log_in_to_demo(request: Request) -> Response:
    """One click, from this machine only."""
    given = await forms.fields(request)
    return _come_in(request, await _demo(request, given.get("token", "")), given.get("next"))


async def _demo(request: Request, token: str) -> str:
    return await _sessions(request).log_in_demo(
        token, peer.from_loopback(request.scope), before=of(request.scope).secret
    )


@router.get("/login/demo")
async def follow_demo_link(
    request: Request,
    token: Annotated[str, Query(max_length=80)],
    where: Annotated[str, Query(alias="next", max_length=LONGEST)] = "/",
) -> Response:
    """The link that the demo prints."""
    return _come_in(request, await _demo(request, token), where)


@router.post("/logout", dependencies=[Needs(Act.READ_CATALOGUE)])
async def log_out(request: Request) -> Response:
    """Ends the session here and in the database; the browser forgets what it has kept of the pages."""
    if secret := of(request.scope).secret:
        await _sessions(request).log_out(secret)
    answer = back_to("/login")
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return cookie.give(answer, None, secure=of(request.scope).secure)


@router.get("/profile", dependencies=[Needs(Act.READ_CATALOGUE)])
async def profile(request: Request) -> Response:
    """Language, keys, and of an account the password."""
    return _profile(request)


def _profile(request: Request, refusal: FollowUpError | None = None, status: int = 200) -> Response:
    return render(request, "profile.html", status, faults=() if refusal is None else forms.faults(refusal))


@router.post("/profile/password", dependencies=[Needs(Act.READ_CATALOGUE)])
async def change_password(request: Request) -> Response:
    """Another password for the reader's own account; wherever else it is logged in, that ends."""
    given = await forms.fields(request)
    try:
        secret = await _sessions(request).change_password(
            session_of(request).actor, given.get("old_password", ""), given.get("new_password", "")
        )
    except (Invalid, RateLimited) as refusal:
        return _profile(request, refusal, status=problems.kind_of(refusal).status)
    return _come_in(request, secret, "/profile")


@router.post("/profile", dependencies=[Needs(Act.READ_CATALOGUE)])
async def change_profile(request: Request) -> Response:
    """Keeps language and keys for this and later sessions."""
    given, session = await forms.fields(request), session_of(request)
    language = given.get("language")
    await _sessions(request).choose(
        session,
        language=language if language is not None and language in LOCALES else session.language,
        hide_names=session.hide_names,
        single_keys="single_keys" in given,
    )
    return back_to("/profile")


@router.post("/profile/names", dependencies=[Needs(Act.READ_CATALOGUE)])
async def hide_names(request: Request) -> Response:
    """Hides or shows names for this session, on screens that others see."""
    given, session = await forms.fields(request), session_of(request)
    await _sessions(request).choose(
        session, language=session.language, hide_names=not session.hide_names, single_keys=session.single_keys
    )
    return back_to(_inside(given.get("back")))
