"""What a route can answer: its own type, and the problems that can happen."""

from typing import Any

from app.api.answers import Answer
from app.http.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

_WORDS = {
    304: "The caller has it already",
    400: "Malformed, or a cursor of another question",
    401: "Without a valid token",
    403: "The role, the scopes or the centre do not allow it",
    404: "No such object among those that the caller may see",
    409: "What stands does not allow it",
    410: "The cursor belongs to another epoch of the feed",
    412: "The object has changed since it was read",
    413: "The body is too large",
    415: "The body's media type is not taken",
    422: "A value breaks a rule, or is unknown",
    428: "If-Match is needed",
    429: "Too many requests",
    503: "The service cannot serve just now",
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVERYWHERE = (401, 403, 422, 429, 503)
READ = (304, 404)
LISTED = (304, 400)
BODY = (400, 413, 415)
CHANGE = (*BODY, 404, 409, 412, 428)


def of(model: type[Answer], *also: int, status: tuple[int, ...] = (200,)) -> Responses:
    """The answers of a route: `model` with each of `status`, and the problems that can happen; those of every route
    need no naming."""
    good: Responses = {code: {"model": model, "description": "Done" if code != 201 else "Made"} for code in status}
    unchanged: Responses = {304: {"description": _WORDS[304]}} if 304 in also else {}
    return good | unchanged | _bad(*also)


def nothing(*also: int) -> Responses:
    """The answers of a route that has nothing to tell."""
    return {204: {"description": "Done"}, **_bad(*also)}


def _bad(*also: int) -> Responses:
    # The problem's schema is named, not given: FastAPI would build a checker of it for each status of each route.
    return {
        code: {"description": _WORDS[code], "content": _PROBLEM}
        for code in sorted({*_EVERYWHERE, *also})
        if code != 304
    }
