"""The server under the application: a socket bound before anything is loaded, and a stop that leaves time to close what
was opened."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from app.errors import FollowUpError
from app.http.connection import Connection

STOP_SECONDS: Final = 10  # how long answers under way may take after SIGTERM


class CannotListen(FollowUpError):
    """The address cannot be listened on."""

    code = "cannot_listen"


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address; nobody is answered before `serve`. Port 0 takes a free one. Raises
    CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise CannotListen(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another with --host and --port."
        ) from None
    return bound


def address(bound: socket.socket) -> str:
    """The socket's address as a client writes it: `http://127.0.0.1:8000`."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(work: Coroutine[Any, Any, int]) -> int:
    """Runs a process's whole work on the fastest event loop that is installed; answers its exit code."""
    from uvicorn.loops.auto import auto_loop_factory

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        return runner.run(work)


async def serve(
    app: Any, bound: socket.socket, *, ready: Callable[[], None], ended: asyncio.Event | None = None
) -> None:
    """Serves until SIGTERM or SIGINT, or until `ended` is set. `ready` is called once, when the first request would be
    answered."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",  # no address takes a WebSocket
        proxy_headers=False,  # the application's own, for the proxies that the settings name and no others
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config, ready)
    watch = asyncio.create_task(_stop_at(ended, server)) if ended else None
    try:
        await server.serve([bound])
    finally:
        if watch:
            watch.cancel()


async def _stop_at(ended: asyncio.Event, server: uvicorn.Server) -> None:
    await ended.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn raises the signal again after its shutdown, and the process dies with its databases open: here it only
    stops serving."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is loaded by now stays: the collector need not walk through it again and again while it serves.
        gc.collect()
        gc.freeze()
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for signalled in signals:
            loop.add_signal_handler(signalled, self.handle_exit, signalled, None)
        try:
            yield
        finally:
            for signalled in signals:
                loop.remove_signal_handler(signalled)
