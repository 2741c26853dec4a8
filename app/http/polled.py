"""What is polled: what the caller holds already is 304 before a route is looked for."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.call import actor_of, header
from app.http.deps import reading


class HeldFeed:
    """The feed at one address. The tag carries role, centres and the whole address, so this very question has been found good before; whether
    the caller still may is asked all the same."""

    def __init__(self, app: ASGIApp, *, path: str) -> None:
        self.app = app
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self.path and scope["method"] == "GET" and header(scope, b"if-none-match") is not None:
            actor_of(scope).must(scope["app"].state.acts[self.path, "GET"])
            async with reading(Request(scope)) as read:
                held = await read.feed_held()
            if held is not None:
                scope["route"] = self  # whose path the log line tells
                await held(scope, receive, send)
                return
        await self.app(scope, receive, send)
