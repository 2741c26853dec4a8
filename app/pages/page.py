"""What every page stands on: templates in the reader's language, the frame around each page, and errors shown as
pages."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.access.sessions import Session
from app.actor import Act
from app.errors import FollowUpError, Invalid, NotFound, Unauthenticated
from app.followup import health
from app.http import problems
from app.http.call import of
from app.http.deps import Transaction
from app.http.middleware import guarded
from app.pages import assets, days, words

LOCALES: Mapping[str, str] = {"sv": "sv", "en": "en_GB"}


@cache
def _environment(language: str) -> Environment:
    locale = LOCALES[language]
    environment = Environment(
        loader=PackageLoader("app.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {
        "asset": assets.address,
        "clock": days.clock,
        "months_and_days": days.months_and_days,
        "long_day": lambda day: days.long_day(day, locale),
        "weekday": lambda day: days.weekday(day, locale),
        "word": lambda kind, code: translations(language).gettext(words.word(kind, code)),
        "Act": Act,
    }
    return environment


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of `sv`, read from its text once; messages are written in English, so `en` needs none."""
    if language == "en":
        return NullTranslations()
    binary = BytesIO()
    with files("app.pages").joinpath("locale", LOCALES[language], "LC_MESSAGES", "messages.po").open("rb") as text:
        write_mo(binary, read_po(text, locale=LOCALES[language]))
    binary.seek(0)
    return Translations(binary)


def session_of(request: Request) -> Session:
    """Whose browser asks. Raises Unauthenticated."""
    session = of(request.scope).session
    if session is None:
        raise Unauthenticated
    return session


def language_of(request: Request) -> str:
    """`sv` or `en`: the session's, else what the address asks for, else Swedish."""
    session = of(request.scope).session
    if session is not None:
        return session.language
    asked = request.query_params.get("language", "sv")
    return asked if asked in LOCALES else "sv"


def is_fragment(request: Request) -> bool:
    """Whether a part of the page is asked for, by script, and not a page that the browser's history brings back."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def render(request: Request, template: str, /, status: int = 200, **facts: Any) -> Response:
    """A page, or a part of one, in the reader's language."""
    session = of(request.scope).session
    shown = (
        _environment(language_of(request))
        .get_template(template)
        .render(session=session, language=language_of(request), request=request, **facts)
    )
    headers = {"vary": "Cookie, HX-Request, HX-History-Restore-Request"}
    return HTMLResponse(shown, status, headers)


async def frame(request: Request, tx: Transaction) -> dict[str, Any]:
    """What the frame of every page of the ward shows: the day, and whether the worker is late."""
    worker = await health.health(tx, request.app.state.sweep_minutes)
    today: date = tx.today
    now: datetime = tx.now
    return {
        "today": today,
        "now": now,
        "tomorrow": today + timedelta(days=1),
        "late": worker.late,
        "jump": worker.jump,
        "actor": tx.actor,
    } | in_weeks(today)


def in_weeks(today: date) -> dict[str, Callable[..., str]]:
    """How templates tell weeks: of one local day, and of two with all between."""
    return {"week": lambda day: days.weeks(day, day, today), "weeks": lambda start, end: days.weeks(start, end, today)}


def macro(template: str, name: str, language: str) -> Callable[..., Markup]:
    """A macro of a template, for what is made outside a page."""
    found: Callable[..., Markup] = getattr(_environment(language).get_template(template).module, name)
    return found


def address(path: str, query: Mapping[str, str | None]) -> str:
    """An address with the parameters that have a value."""
    values = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(values)}" if values else path


def back_to(where: str) -> Response:
    """The answer to a plain form: the browser reads a page anew."""
    return RedirectResponse(where, 303)


class PageRoute(APIRoute):
    """A route whose errors are shown as a page, in words."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, with refusals caught."""
        whole = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await whole(request)
            except RequestValidationError:
                return refused(request, Invalid("The address cannot be read."))
            except FollowUpError as refusal:
                return refused(request, refusal)

        return handler


async def missing(request: Request, error: Exception) -> Response:
    """What is not there, or not to be read like this: a page for browsers, else a problem."""
    browses = of(request.scope).session is not None or "text/html" in request.headers.get("accept", "")
    return (
        refused(request, NotFound())
        if browses and not guarded(request.url.path)
        else await problems.on_http(request, error)
    )


def refused(request: Request, refusal: FollowUpError) -> Response:
    """A refusal as a page of its own: what it is, and where to go on. Script puts its words in the place of what the
    page shows."""
    page = render(request, "refused.html", problems.kind_of(refusal).status, refusal=refusal)
    if is_fragment(request):
        page.headers.update({"hx-retarget": "#main", "hx-reselect": "#main", "hx-reswap": "outerHTML"})
    return page
