"""Errors become answers of RFC 9457: the field's, pydantic's and the framework's own. Nothing that was sent is repeated
in them."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core.core_schema import ErrorType
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app import errors
from app.errors import FieldError, FollowUpError

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A problem's type (the end of its URI) and status."""

    name: str
    status: int


# One table turns errors into the language of HTTP; a class without a line takes that of the class it stands on.
KINDS: Mapping[type[FollowUpError], Kind] = {
    errors.Malformed: Kind("malformed", 400),
    errors.BadCursor: Kind("bad-cursor", 400),
    errors.Unauthenticated: Kind("unauthenticated", 401),
    errors.Forbidden: Kind("forbidden", 403),
    errors.NotFound: Kind("not-found", 404),
    errors.Conflict: Kind("conflict", 409),
    errors.TooSlow: Kind("request-timeout", 408),
    errors.CursorExpired: Kind("cursor-expired", 410),
    errors.SessionWasOver: Kind("conflict", 409),
    errors.StaleVersion: Kind("stale-version", 412),
    errors.TooLarge: Kind("too-large", 413),
    errors.AddressTooLong: Kind("address-too-long", 414),
    errors.Invalid: Kind("validation", 422),
    errors.VersionRequired: Kind("version-required", 428),
    errors.RateLimited: Kind("rate-limited", 429),
    errors.HeadersTooLarge: Kind("headers-too-large", 431),
    errors.Unavailable: Kind("unavailable", 503),
}
REFUSED = Kind("internal", 500)
NOT_ALLOWED = Kind("method-not-allowed", 405)
NOT_SUPPORTED = Kind("unsupported-media-type", 415)


class MethodNotAllowed(FollowUpError):
    """This address does not know the method; see Allow."""

    code = "method_not_allowed"


class UnsupportedMediaType(FollowUpError):
    """The body's media type is not taken here."""

    code = "unsupported_media_type"


class InternalError(FollowUpError):
    """Something went wrong on our side; it is logged under the request id."""

    code = "internal"


_OWN: Mapping[type[FollowUpError], Kind] = {
    MethodNotAllowed: NOT_ALLOWED,
    UnsupportedMediaType: NOT_SUPPORTED,
    InternalError: REFUSED,
}

# pydantic's word for a fault -> our code and sentence. pydantic's own sentence may repeat what was sent, so it is never
# used.
CODES: Mapping[str, tuple[str, str]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "There is no such field here."),
    "bad_date": ("bad_date", "A day of the calendar is written YYYY-MM-DD."),
    "enum": ("unknown_value", "This is not one of the values allowed here."),
    "literal_error": ("unknown_value", "This is not one of the values allowed here."),
    "union_tag_invalid": ("unknown_value", "This is not one of the values allowed here."),
    "union_tag_not_found": ("required", "This field is required."),
    "string_type": ("not_a_text", "A text is expected."),
    "string_pattern_mismatch": ("bad_format", "The text has characters or a form that are not allowed here."),
    "string_too_long": ("too_long", "The text is longer than allowed."),
    "string_too_short": ("empty", "The text is empty or shorter than allowed."),
    "bool_type": ("not_a_flag", "true or false is expected."),
    "bool_parsing": ("not_a_flag", "true or false is expected."),
    "int_type": ("not_a_number", "A whole number is expected."),
    "int_parsing": ("not_a_number", "A whole number is expected."),
    "int_parsing_size": ("out_of_range", "The number is out of range."),
    "int_from_float": ("not_a_number", "A whole number is expected."),
    "uuid_type": ("bad_id", "A UUID is expected."),
    "uuid_parsing": ("bad_id", "A UUID is expected."),
    "uuid_version": ("bad_id", "A UUID is expected."),
    "list_type": ("not_a_list", "A list is expected."),
    "set_type": ("not_a_list", "A list is expected."),
    "frozen_set_type": ("not_a_list", "A list is expected."),
    "tuple_type": ("not_a_list", "A list is expected."),
    "too_long": ("too_many", "There are more entries than allowed."),
    "too_short": ("too_few", "There are fewer entries than needed."),
    "dict_type": ("not_an_object", "An object is expected."),
    "model_type": ("not_an_object", "An object is expected."),
    "model_attributes_type": ("not_an_object", "An object is expected."),
    "greater_than_equal": ("out_of_range", "The number is out of range."),
    "less_than_equal": ("out_of_range", "The number is out of range."),
    "greater_than": ("out_of_range", "The number is out of range."),
    "less_than": ("out_of_range", "The number is out of range."),
}
_PYDANTIC = frozenset(get_args(ErrorType))
_OTHER = ("invalid", "The value is not allowed here.")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}|\d{1,6}", re.ASCII)
_LOCATIONS = frozenset({"body", "query", "path", "header", "cookie"})


def kind_of(error: FollowUpError) -> Kind:
    """The line of the table for the error's class or the nearest class that it stands on; 500 where there is none."""
    for cls in type(error).__mro__:
        found = KINDS.get(cls) or _OWN.get(cls)
        if found:
            return found
    return REFUSED


@dataclass(frozen=True, slots=True)
class Code:
    """One line of the table of errors."""

    status: int
    type: str
    code: str
    title: str


def every_code() -> list[Code]:
    """Each error that a caller may meet, by status, type and code: the classes that have been loaded, but for those of
    commands, and the words for a field that pydantic refuses."""
    found: dict[Code, None] = {}
    waiting = [FollowUpError]
    while waiting:
        for cls in waiting.pop().__subclasses__():
            waiting.append(cls)
            kind = kind_of(cls())
            found[Code(kind.status, kind.name, cls.code, cls.title())] = None
    invalid = KINDS[errors.Invalid]
    of_fields = {code: sentence.rstrip(".") for code, sentence in CODES.values()}
    found |= dict.fromkeys(Code(invalid.status, invalid.name, code, sentence) for code, sentence in of_fields.items())
    return sorted(found, key=lambda line: (line.status, line.type, line.code))


def pointer(field: str) -> str:
    """`completed.0.code` -> `/completed/0/code`; the empty field is the whole document."""
    return "/" + field.replace(".", "/") if field else ""


def answer(scope: Scope, error: FollowUpError, headers: Mapping[str, str] | None = None) -> Response:
    """The error as problem+json for this request. Facts of the error become members; `errors` has a pointer for each
    fault."""
    kind = kind_of(error)
    body: dict[str, Any] = {
        **error.facts,
        "type": f"/problems/{kind.name}",
        "title": error.title(),
        "status": kind.status,
        "detail": error.detail,
        "instance": scope.get("path", ""),
        "request_id": _request_id(scope),
        "code": error.code,
    }
    faults = error.errors or ((FieldError("", error.code, error.detail),) if kind.status in (409, 422) else ())
    if faults:
        body["errors"] = [_fault(scope, fault) for fault in faults]
    return Response(
        orjson.dumps(body, default=str), kind.status, {**_headers(error, kind), **(headers or {})}, MEDIA_TYPE
    )


def _headers(error: FollowUpError, kind: Kind) -> dict[str, str]:
    if kind.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="follow-up"'}
    if kind.status in (429, 503):
        return {"Retry-After": str(error.facts.get("retry_after", 2))}
    if kind.status == 410:
        return {"Link": '</api/v1/alerts>; rel="snapshot"'}
    return {}


def _request_id(scope: Scope) -> str:
    call = scope.get("call")
    return str(call.request_id) if call is not None else ""


def _fault(scope: Scope, fault: FieldError) -> dict[str, str]:
    entry = {"pointer": pointer(fault.field), "code": fault.code, "message": fault.message}
    place = _place(scope, fault.field)
    return {**entry, "in": place} if place else entry


def _place(scope: Scope, field: str) -> str:
    """Where a field stands that is not in the body: query, path or header."""
    if not field:
        return ""
    if field in scope.get("path_params", {}):
        return "path"
    if field.startswith("If-"):
        return "header"
    # Only imports have a body and a query; their fields are those of the query.
    return "query" if scope["method"] == "GET" or scope["path"].endswith("/imports") else ""


# ---- pydantic's errors -----------------------------------------------------------------------------------------------


def of_pydantic(found: Sequence[Mapping[str, Any]], body: Any = None) -> FollowUpError:
    """Faults as pydantic lists them -> Invalid (or NotFound, where an id in the address is no id: such an object does
    not exist)."""
    if any(fault["loc"][:1] == ("path",) for fault in found):
        return errors.NotFound()
    faults = [_of_one(fault, body) for fault in found]
    return errors.Invalid(
        "The request breaks the rules named in errors.",
        errors=faults,
        code=faults[0].code if len(faults) == 1 else "invalid",
    )


def _of_one(fault: Mapping[str, Any], body: Any) -> FieldError:
    kind = str(fault["type"])
    # A type that pydantic does not know is one of our own checks, with our own sentence.
    code, message = CODES.get(kind) or (_OTHER if kind in _PYDANTIC else (kind, str(fault["msg"])))
    if kind in ("enum", "literal_error"):
        message = f"Write one of {fault['ctx']['expected']}."
    if kind == "value_error":
        message = str(fault["ctx"]["error"])  # a sentence of a command's own check
    return FieldError(_field(fault["loc"], kind, body), code, message)


def _field(loc: Sequence[str | int], kind: str, body: Any) -> str:
    """The field as the sender wrote it: without pydantic's names of union members, and cut where the sender's own key
    is no plain name."""
    parts = list(loc[1:] if loc and loc[0] in _LOCATIONS else loc)
    path: list[str] = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(body, Mapping) and part in body:
            body = body[part]
        elif isinstance(body, list):
            body = body[part] if isinstance(part, int) and part < len(body) else None
        elif body is not None and not (last and kind in ("missing", "union_tag_not_found")):
            continue
        if not _NAME.fullmatch(str(part)):
            break
        path.append(str(part))
    return ".".join(path)


# ---- Handlers for the application ------------------------------------------------------------------------------------


async def on_refusal(request: Request, error: Exception) -> Response:
    """An error of the field."""
    assert isinstance(error, FollowUpError)
    return answer(request.scope, error)


async def on_invalid(request: Request, error: Exception) -> Response:
    """FastAPI's own 422, without the input that it would repeat."""
    assert isinstance(error, RequestValidationError)
    return answer(request.scope, of_pydantic(error.errors(), error.body))


async def on_command(request: Request, error: Exception) -> Response:
    """A command that was made inside an act (a merge patch) is not valid."""
    assert isinstance(error, ValidationError)
    return answer(request.scope, of_pydantic(error.errors(include_url=False, include_input=False)))


async def on_http(request: Request, error: Exception) -> Response:
    """The framework's own 404, 405 and 400."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return answer(request.scope, errors.NotFound("There is nothing at this address."))
    if error.status_code == 405:
        return answer(request.scope, MethodNotAllowed(), {"Allow": ", ".join(sorted(allowed(request.scope)))})
    if error.status_code == 413:
        return answer(request.scope, errors.TooLarge())
    return answer(request.scope, errors.Malformed() if error.status_code < 500 else InternalError())


def allowed(scope: Scope) -> set[str]:
    """Every method that some route of this path takes; the framework itself would name those of the first route
    only."""
    found = {
        method
        for address in scope["app"].state.addresses
        if address.pattern.match(scope["path"])
        for method in address.methods
    }
    return found | {"HEAD"} if "GET" in found else found


def takes(scope: Scope) -> bool:
    """Whether some route takes the call's method at its path."""
    return scope["method"] in allowed(scope)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    FollowUpError: on_refusal,
    RequestValidationError: on_invalid,
    ValidationError: on_command,
    HTTPException: on_http,
}
