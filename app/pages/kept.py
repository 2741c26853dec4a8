"""A form that was sent when its session had run out: after the login it stands on its page again, filled in, and
nothing is saved yet."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.actor import Act
from app.http.call import actor_of, of
from app.http.deps import Needs
from app.pages.page import PageRoute, back_to

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/kept/{form_id}", dependencies=[Needs(Act.READ_CATALOGUE)])
async def kept(request: Request, form_id: UUID) -> Response:
    """The form's page, as if saving had been refused; once, and for its sender only. Whoever else comes is led to the
    list."""
    found = await request.app.state.sessions.kept_form(actor_of(request.scope).id, form_id)
    if found is None:
        return back_to("/")
    of(request.scope).is_kept = True
    return _Again(*found)


class _Again(Response):
    """Answers as the form's own address does."""

    def __init__(self, path: str, fields: dict[str, list[str]]) -> None:
        super().__init__()
        self.path = path
        self.sent = urlencode(fields, doseq=True).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form: dict[str, Any] = {
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "path_params": {},
        }
        headers = [
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(self.sent)).encode()),
        ]

        async def sent() -> Message:
            return {"type": "http.request", "body": self.sent, "more_body": False}

        await scope["app"].router({**scope, **form, "headers": headers}, sent, send)
