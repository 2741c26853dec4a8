"""Work that requests in flight share: what comes while one round is under way goes together into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Together(Generic[Given, Made]):
    """Runs `work` on the list of all that waits; each caller gets what that round answered, and none an answer begun
    before it asked.

    A round is its own task, so no caller's deadline ends it: it has one of its own, `seconds`, and the next round
    begins anew.
    """

    def __init__(self, work: Callable[[Sequence[Given]], Awaitable[Made]], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._waiting: list[tuple[Given, asyncio.Future[Made]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, given: Given) -> Made:
        """Returns when the round with `given` is over; raises what that round raised, TimeoutError when it took too
        long."""
        mine: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, mine))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._rounds())
        return await mine

    async def finished(self) -> None:
        """Waits until nothing is under way."""
        if self._task is not None:
            await self._task

    async def _rounds(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(self._seconds):
                    made = await self._work([given for given, _ in batch])
            except Exception as fault:  # noqa: BLE001 - handed to each that waits
                for waiter in _still_there(batch):
                    waiter.set_exception(fault)
            else:
                for waiter in _still_there(batch):
                    waiter.set_result(made)


def _still_there(batch: Sequence[tuple[Given, asyncio.Future[Made]]]) -> list[asyncio.Future[Made]]:
    return [waiter for _, waiter in batch if not waiter.done()]
