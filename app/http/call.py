"""What the middleware knows of a call, kept in `scope["call"]`: its id, who calls, and headers that the answer will carry."""

from dataclasses import dataclass, field
from uuid import UUID

from starlette.types import Scope
from uuid_utils import uuid7

from app.access.sessions import Session
from app.actor import Actor
from app.errors import Unauthenticated

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Call:
    """One request. `origin` is where browsers see the service, `secret` what the session's cookie holds. `actor` is set by the authentication,
    before a body is read; `session` where a browser has logged in; `is_kept` where a form comes again that was kept for its sender: it is shown,
    not obeyed."""

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


def request_id(given: str | None) -> str:
    """The caller's X-Request-Id where it is a UUID (so that no other text gets into the log), else a new one of version 7."""
    if given and len(given) == 36:
        try:
            return str(UUID(given))
        except ValueError:
            pass
    return str(uuid7())


def header(scope: Scope, name: bytes) -> str | None:
    """A request header that may be given once: its text, None where it is missing. Of several the first counts."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None
