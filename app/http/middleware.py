"""What every call passes, outermost first: last resort, id and log line and headers; HEAD; limits; who calls and how
often; strict JSON.

Pure ASGI, one object a layer. A layer refuses by raising an error of the field; the outermost turns it into
problem+json.
"""

import asyncio
from collections.abc import Awaitable, Callable
from html import escape
from time import perf_counter

import structlog
from limits.aio.storage import MemoryStorage
from prometheus_client import CollectorRegistry, Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.actor import Actor
from app.errors import FollowUpError, Malformed, RateLimited, TooLarge, TooSlow, Unauthenticated, Unavailable, once_more
from app.http import cookie, problems, strict
from app.http.call import Call, Headers, header, of, request_id
from app.http.peer import from_loopback

log = structlog.get_logger("http")

BODY_BYTES, IMPORT_BYTES = 1_000_000, 64_000_000
FORM_BYTES = 100_000  # of a page's form
DEADLINE_SECONDS, IMPORT_SECONDS = 30.0, 600.0
BODY_SECONDS = 20.0  # for a body to arrive
IMPORTS = "/api/v1/imports"

_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
# Addresses that need a token, and what their answers carry (contract 1).
GUARDED = ("/api", "/fhir")
_GUARDED: Headers = [
    *_ALWAYS,
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, Accept"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Authenticate = Callable[[str, bool], Awaitable[tuple[str, Actor]]]


def guarded(path: str) -> bool:
    """Whether an address needs a token: everything under /api and /fhir, whether it exists or not."""
    return path.startswith(GUARDED) and (path in GUARDED or path.startswith(("/api/", "/fhir/")))


class Outermost:
    """Last resort (no exception leaves it), request id, one log line by route template without query, headers, the
    figures of requests."""

    def __init__(
        self, app: ASGIApp, *, registry: CollectorRegistry, open_headers: Headers, public_origin: str | None
    ) -> None:
        """`public_origin`: where browsers see the service; None: where each request says."""
        self.app = app
        self.public_origin = public_origin
        self.open_headers = [*_ALWAYS, *open_headers]
        self.seconds = Histogram(
            "follow_up_request_seconds", "Requests", ("method", "route", "status"), registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        call = scope["call"] = self._call(scope)
        headers = self._headers(scope["path"])
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = dict(message["headers"])
                # What an open address says of its own keeping stands.
                ours = [header for header in headers if header[0] != b"cache-control" or header[0] not in own]
                extra = [(b"x-request-id", call.request_id.encode()), *call.extra]
                message["headers"] = [*message["headers"], *ours, *extra]
            await send(message)

        try:
            try:
                await self.app(scope, receive, send_with_headers)
            except FollowUpError as refusal:
                if status:
                    raise
                await _answer(scope, refusal)(scope, receive, send_with_headers)
        except ClientDisconnect:
            pass  # the caller has gone in the middle of its body
        except Exception as fault:  # the last resort: an exception that leaves here would be printed with its message
            log.error("request.failed", exc_info=fault, request_id=call.request_id, route=_template(scope))
            if not status:
                await _answer(scope, problems.InternalError())(scope, receive, send_with_headers)
        finally:
            self._line(scope, call, status, perf_counter() - began)

    def _headers(self, path: str) -> Headers:
        if path.startswith("/static/"):
            return _ALWAYS
        return _GUARDED if guarded(path) else self.open_headers

    def _call(self, scope: Scope) -> Call:
        call = Call(request_id(scope), self.public_origin or f"{scope['scheme']}://{header(scope, b'host') or ''}")
        call.secret = cookie.take(scope, secure=call.secure)
        return call

    def _line(self, scope: Scope, call: Call, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = _template(scope)
        self.seconds.labels(method, route, str(status)).observe(seconds)
        log.info(
            "request.done",
            method=method,
            route=route,
            status=status,
            took_ms=round(seconds * 1000, 1),
            request_id=call.request_id,
            actor=call.actor.name if call.actor else None,
            actor_id=call.actor.id if call.actor else None,
        )


def _answer(scope: Scope, refusal: FollowUpError) -> Response:
    """The refusal as a problem; where the page's script asked, its words for the page's line of status, since what
    script is sent becomes a row."""
    problem = problems.answer(scope, refusal)
    if guarded(scope["path"]) or header(scope, b"hx-request") is None:
        return problem
    kept = {name: problem.headers[name] for name in ("retry-after",) if name in problem.headers}
    return PlainTextResponse(
        escape(refusal.detail), problem.status_code, {"hx-retarget": "#status", "hx-reswap": "textContent", **kept}
    )


class Head:
    """Answers HEAD wherever GET is answered: the same headers, and no body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}

        async def bodiless(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        try:
            await self.app(asked, receive, bodiless)
        finally:
            scope["route"] = asked.get("route")  # for the log line


def _template(scope: Scope) -> str:
    """`/api/v1/visits/{visit_id}`, never the address itself: a person's number in a mistyped address stays out of the
    log."""
    route = scope.get("route")
    return str(route.path) if route is not None else "-"


class Limits:
    """One deadline for the whole call, and one for its body; the body's size is counted while it is read, and a
    declared one is refused at the first read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        importing = scope["path"] == IMPORTS
        most = IMPORT_BYTES if importing else BODY_BYTES if guarded(scope["path"]) else FORM_BYTES
        counted = _counted(scope, receive, most, IMPORT_SECONDS if importing else BODY_SECONDS)
        try:
            async with asyncio.timeout(IMPORT_SECONDS if importing else DEADLINE_SECONDS):
                await self.app(scope, counted, send)
        except TimeoutError:
            raise Unavailable("The answer took too long; try again.", retry_after=10) from None


def _counted(scope: Scope, receive: Receive, most: int, seconds: float) -> Receive:
    """A body of at most so many bytes, that arrives within so many seconds."""
    read, whole = 0, False
    until = asyncio.get_running_loop().time() + seconds

    async def counted() -> Message:
        nonlocal read, whole
        if whole:
            return await receive()
        if not read and _declared(scope) > most:
            raise TooLarge(f"A body may have {most:,} bytes here.")
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        whole = not message.get("more_body", False)
        read += len(message.get("body", b""))
        if read > most:
            raise TooLarge(f"A body may have {most:,} bytes here.")
        return message

    return counted


def _declared(scope: Scope) -> int:
    length = header(scope, b"content-length") or "0"
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


class Rate:
    """How often somebody calls, counted in windows of one second. The library's fixed window by its storage: one
    counter; its strategy class would ask the storage twice more for the same."""

    def __init__(self, per_second: int, name: str) -> None:
        """`name`: what the calls are counted by, as RateLimit-Policy tells it."""
        self.per_second = per_second
        self.name = name
        self.policy = (b"ratelimit-policy", f'"{name}";q={per_second};w=1'.encode())
        self.counts = MemoryStorage()

    async def count(self, call: Call, whose: str) -> None:
        """Counts a call. Raises RateLimited."""
        count = await self.counts.incr(whose, 1)
        left = max(0, self.per_second - count)
        call.extra += [self.policy, (b"ratelimit", f'"{self.name}";r={left};t=1'.encode())]
        if count > self.per_second:
            raise RateLimited(f"More than {self.per_second} requests a second by one {self.name}.", retry_after=1)


class WhoCalls:
    """Settles who calls before a body is read, and how often."""

    def __init__(self, app: ASGIApp, *, authenticate: Authenticate, rate: Rate) -> None:
        self.app = app
        self.authenticate = authenticate
        self.rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not guarded(scope["path"]):
            await self.app(scope, receive, send)
            return
        call = of(scope)
        token_id, call.actor = await self.authenticate(_token(scope), from_loopback(scope))
        await self.rate.count(call, token_id)
        await self.app(scope, receive, send)


def _token(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        raise Unauthenticated("Send a token: Authorization: Bearer <token>.")
    scheme, _, token = given[0].partition(b" ")
    if len(given) > 1 or scheme.lower() != b"bearer" or not token.isascii() or len(token) > 512:
        raise Unauthenticated
    return str(token.strip().decode("ascii"))


class OnceMore:
    """Calls the route a second time when its transaction was ended by a deadlock: nothing of the first call is stored,
    and no part of its answer has left, since answers leave after COMMIT. What was read of the body is read again.
    Raises Unavailable the second time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A file is not kept for this: opening its report locks nothing.
        if scope["type"] != "http" or scope["path"] == IMPORTS:
            await self.app(scope, receive, send)
            return
        heard: list[Message] = []

        async def call() -> None:
            again = iter(heard[:])

            async def replayed() -> Message:
                if (message := next(again, None)) is None:
                    message = await receive()
                    heard.append(message)
                return message

            await self.app(scope, replayed, send)

        await once_more(call)


class StrictJson:
    """Reads the body of what writes JSON, checks media type and form, and hands the same bytes on. Imports are read by
    their own route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] in ("GET", "HEAD")
            or scope["path"] == IMPORTS
            or not guarded(scope["path"])
        ):
            await self.app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            return  # the caller has gone
        if body:
            try:
                check_encoding(scope)
                _check_media_type(scope)
                strict.loads(body)
            except FollowUpError:
                # Else the router says what is wrong with the address or the method, before the body.
                if problems.takes(scope):
                    raise
        replayed = False

        async def again() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


async def _whole(receive: Receive) -> bytes | None:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def check_encoding(scope: Scope) -> None:
    """Raises UnsupportedMediaType for a compressed body: a small one can hold more than the limits allow."""
    if (header(scope, b"content-encoding") or "identity").strip().lower() != "identity":
        raise problems.UnsupportedMediaType("Send the body as it is, without Content-Encoding.")


def _check_media_type(scope: Scope) -> None:
    media, _, rest = (header(scope, b"content-type") or "").partition(";")
    taken = (
        ("application/json", "application/merge-patch+json") if scope["method"] == "PATCH" else ("application/json",)
    )
    if media.strip().lower() not in taken:
        raise problems.UnsupportedMediaType(f"Send {' or '.join(taken)}.")
    charset = rest.strip().lower().replace('"', "").replace(" ", "")
    if charset.startswith("charset=") and charset != "charset=utf-8":
        raise Malformed("JSON is sent as UTF-8.", code="not_utf8")
