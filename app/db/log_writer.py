"""The access log of reads: requests in flight share one INSERT and one commit, and each waits for its own row before its answer leaves."""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import tables

Row = Mapping[str, object]


class AccessLogWriter:
    """Rows that come while a commit is under way go together into the next one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: list[tuple[Sequence[Row], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, rows: Sequence[Row]) -> None:
        """Returns when the rows are committed; raises what the database raised when they could not be."""
        if not rows:
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, mine))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        await mine

    async def close(self) -> None:
        """Waits until nothing is under way."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            fault: BaseException | None = None
            try:
                async with self._engine.begin() as connection:
                    await connection.execute(insert(tables.access_log), [dict(row) for rows, _ in batch for row in rows])
            except Exception as error:  # noqa: BLE001 - handed to each that waits
                fault = error
            for _, waiter in batch:
                if waiter.done():  # its caller has gone
                    continue
                if fault is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(fault)
