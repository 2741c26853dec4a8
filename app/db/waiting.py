"""How long the database is waited for. A server that is frozen, or whose host has gone, says nothing at all: whoever
waits ends it by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from sqlalchemy import Engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry

PATIENCE: Final = (
    5.0  # seconds that a statement waits for a lock, or a caller for a connection, before the answer is 503
)
STATEMENT_SECONDS: Final = 30  # the server itself ends a statement then
ANSWER_SECONDS: Final = STATEMENT_SECONDS + PATIENCE  # and when it has not, the connection is given up
CLOSE_SECONDS: Final = 3.0
IDLE_SECONDS: Final = 10.0  # a connection that has rested for longer is tried before it is used

# A dead host is noticed by the kernel: data that nobody confirms after 5 s, a resting connection after 10 + 3 * 3 s
# instead of two hours.
NETWORK: Final = {
    "application_name": "follow-up",
    "connect_timeout": 5,
    "tcp_user_timeout": 5000,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}

Made = TypeVar("Made")


class BoundedConnection(AsyncConnection[TupleRow]):
    """A connection to PostgreSQL that is closed when the server leaves one step (a statement, a COMMIT) without an
    answer for `answer_seconds`, or when its caller is cancelled."""

    answer_seconds: float = ANSWER_SECONDS

    async def wait(
        self,
        gen: PQGen[Made],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's
    ) -> Made:
        """One exchange with the server. Raises OperationalError when it takes too long."""
        try:
            async with asyncio.timeout(self.answer_seconds):
                return await super().wait(gen, interval, timeout)
        except TimeoutError:
            raise OperationalError("the server did not answer in time") from None

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - the driver's
        """Closes the connection. The driver's own way is to ask the server to cancel, and to wait for it again (psycopg
        3.3: ten seconds)."""
        self.pgconn.finish()


def bounded(answer_seconds: float) -> Callable[..., Awaitable[BoundedConnection]]:
    """How SQLAlchemy opens connections (`async_creator_fn`) that wait so many seconds for an answer."""

    async def connect(*words: Any, **options: Any) -> BoundedConnection:
        connection = await BoundedConnection.connect(*words, **options)
        connection.answer_seconds = answer_seconds
        return connection

    return connect


def try_the_rested(engine: Engine) -> None:
    """A connection that rested for a while is tried before it is used, and replaced when it is broken; a busy one costs
    nothing."""

    @event.listens_for(engine, "checkin")
    def left(connection: Any, entry: ConnectionPoolEntry) -> None:
        entry.info["left"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, entry: ConnectionPoolEntry, proxy: object) -> None:
        if time.monotonic() - entry.info.get("left", time.monotonic()) <= IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise exc.DisconnectionError from None
