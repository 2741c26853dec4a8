"""The session's cookie: taken out of a request by its exact form, before anything else can read the header, and sent
with an answer."""

import re
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Scope

NAME: Final = "follow-up-session"
# Over https a browser takes a cookie of this name only when it is Secure, for every path, and from this very host: no
# other application of the host's domain can set it (RFC 6265bis, 4.1.3.2).
NAME_OVER_HTTPS: Final = f"__Host-{NAME}"
_SECRET = re.compile(rb"[A-Za-z0-9_-]{43}")  # 256 bits, as access.sessions makes them


def name(*, secure: bool) -> str:
    """What the cookie is called."""
    return NAME_OVER_HTTPS if secure else NAME


def take(scope: Scope, *, secure: bool) -> str | None:
    """The session's secret, and the request without its Cookie headers.

    They are removed because FastAPI parses them for every route, with a function of the standard library whose time
    grows with the square of their length; and because what other applications of the same host have stored in the
    browser is none of ours, and must end no login.
    """
    lines = [value for key, value in scope["headers"] if key == b"cookie"]
    if not lines:
        return None
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
    own = name(secure=secure).encode()
    for line in lines:
        for part in line.split(b";"):
            key, _, value = part.strip().partition(b"=")
            if key == own and _SECRET.fullmatch(value):
                return str(value.decode("ascii"))
    return None


def give(answer: Response, secret: str | None, *, secure: bool) -> Response:
    """The answer with the session's cookie, or, for None, with the word to forget it. `secure`: browsers reach the
    service by https."""
    parts = [f"{name(secure=secure)}={secret or ''}", "Path=/", "HttpOnly", "SameSite=Lax"]
    parts += ["Max-Age=0"] * (secret is None) + ["Secure"] * secure
    MutableHeaders(raw=answer.raw_headers).append("set-cookie", "; ".join(parts))
    return answer
