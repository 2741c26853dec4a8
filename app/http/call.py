"""What the middleware knows of a call, kept in `scope["call"]`: its id, who calls, and headers that the answer will
carry."""

import re
from dataclasses import dataclass, field
from uuid import UUID

from starlette.types import Scope
from uuid_utils import uuid7

from app.access.sessions import Session
from app.actor import Actor
from app.errors import Unauthenticated

Headers = list[tuple[bytes, bytes]]

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(slots=True)
class Call:
    """One request. `origin` is where browsers see the service, `secret` what the session's cookie holds. `actor` is set
    by the authentication, before a body is read; `session` where a browser has logged in; `is_kept` where a form comes
    again that was kept for its sender: it is shown, not obeyed."""

    request_id: str
    origin: str
    secret: str | None = None
    actor: Actor | None = None
    session: Session | None = None
    is_kept: bool = False
    extra: Headers = field(default_factory=list)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the service by https."""
        return self.origin.startswith("https://")


def of(scope: Scope) -> Call:
    """The call that the middleware put there."""
    call: Call = scope["call"]
    return call


def actor_of(scope: Scope) -> Actor:
    """Who calls. Raises Unauthenticated at an address that the authentication does not guard."""
    call = scope.get("call")
    if call is None or call.actor is None:
        raise Unauthenticated
    actor: Actor = call.actor
    return actor


def request_id(scope: Scope) -> str:
    """The caller's own id, so that its log and ours can be laid side by side: X-Request-Id where it is a UUID or its 32
    hexadecimal digits (no other text gets into the log), else the trace-id of a W3C `traceparent`, else a new UUID of
    version 7."""
    given = header(scope, b"x-request-id")
    if given and len(given) in (32, 36) and _is_uuid(given):
        return given.lower()
    trace = _TRACE.fullmatch(header(scope, b"traceparent") or "")
    return trace[1] if trace and trace[1].strip("0") else str(uuid7())


def _is_uuid(given: str) -> bool:
    try:
        return given.lower() in (str(UUID(given)), UUID(given).hex)
    except ValueError:
        return False


def header(scope: Scope, name: bytes) -> str | None:
    """A request header that may be given once: its text, None where it is missing. Of several the first counts."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None
