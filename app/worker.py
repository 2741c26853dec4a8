"""When the worker works, and nothing of what it does: a sweep every few minutes, plans without end once a day, and a
watch over both.

APScheduler waits by the wall clock: with the machine's clock set back an hour it runs nothing until the old time comes
again. So a watch of our own compares wall and monotonic time, and a worker that has not swept for two intervals ends,
so that its supervisor starts it anew.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import structlog

from app.clock import Clock
from app.db.engine import Database
from app.errors import FollowUpError
from app.followup import batches

log = structlog.get_logger("worker")

LOOK_SECONDS: Final = 10.0
PARTED_SECONDS: Final = 60.0
EXTEND_EVERY: Final = timedelta(days=1)
MISFIRE_GRACE_SECONDS: Final = 86_400
# How long the batch under way may take to its commit when the worker ends; the next sweep takes up what is left.
BATCH_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment: the wall's instant (UTC), and seconds on the monotonic clock, which nobody can set."""

    wall: datetime
    monotonic: float


class Verdict(Enum):
    """What the watch found."""

    GOOD = "good"
    PARTED = "parted"
    LATE = "late"


def parted_seconds(agreed: Reading, now: Reading) -> float:
    """By how much the wall clock has moved against the monotonic one since they agreed; negative when it was set
    back."""
    return (now.wall - agreed.wall).total_seconds() - (now.monotonic - agreed.monotonic)


def judge(agreed: Reading, now: Reading, *, swept: float, interval: timedelta) -> Verdict:
    """The watch's decision, from readings alone: clocks more than a minute apart ask for a sweep at once; a last sign
    of a sweep (`swept`, monotonic seconds) older than two intervals ends the worker. Parted clocks come first: the
    sweep that they bring may mend the rest."""
    if abs(parted_seconds(agreed, now)) > PARTED_SECONDS:
        return Verdict.PARTED
    if now.monotonic - swept > 2 * interval.total_seconds():
        return Verdict.LATE
    return Verdict.GOOD


class _Stopping(Exception):
    """The worker was asked to stop: the round ends between two batches."""


class Worker:
    """The jobs and the watch, on the caller's event loop: `start`, then `wait` for the end or `stop`."""

    def __init__(self, db: Database, clock: Clock, interval: timedelta) -> None:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        self.db = db
        self.clock = clock
        self.interval = interval
        self.swept = time.monotonic()  # when a batch of a sweep last ended well
        self.agreed = self.reading()
        self._stop = asyncio.Event()
        self._rounds: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[int] | None = None
        self.scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_SECONDS},
        )

    def start(self) -> None:
        """Begins: both jobs run at once, then by their intervals. Plans grow first, so that the sweep sees the new
        visits."""
        from apscheduler.triggers.interval import IntervalTrigger

        at_once = self.clock.now()
        for job, interval in ((self.extend, EXTEND_EVERY), (self.sweep, self.interval)):
            trigger = IntervalTrigger(seconds=int(interval.total_seconds()), timezone=UTC)
            self.scheduler.add_job(job, trigger, id=job.__name__, next_run_time=at_once)
        self.scheduler.start()
        self._watching = asyncio.create_task(self._watch(), name="worker.watch")

    async def wait(self) -> int:
        """Waits for the end: 0 after `stop`, 1 when the sweeps have stood still. Nothing of the worker runs
        afterwards."""
        assert self._watching is not None, "start comes first"
        return await self._watching

    async def stop(self) -> None:
        """Ends the worker and waits for it; a batch that is under way comes to its commit, unless the database does not
        answer."""
        self.ask_to_stop()
        await self.wait()

    def ask_to_stop(self) -> None:
        """Ends the worker soon; for a signal."""
        self._stop.set()

    def reading(self) -> Reading:
        """Both clocks now."""
        return Reading(self.clock.now(), time.monotonic())

    def look(self, now: Reading) -> Verdict:
        """One look of the watch, and what follows: after parted clocks every job gets a new time, which is now."""
        verdict = judge(self.agreed, now, swept=self.swept, interval=self.interval)
        if verdict is Verdict.PARTED:
            log.warning("watch.parted", seconds=round(parted_seconds(self.agreed, now)))
            self.agreed = now
            for job in self.scheduler.get_jobs():
                job.modify(next_run_time=now.wall)
        elif verdict is Verdict.LATE:
            log.error("watch.late", seconds=round(now.monotonic - self.swept))
        return verdict

    async def _watch(self) -> int:
        try:
            while self.look(self.reading()) is not Verdict.LATE:
                try:
                    await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
                except TimeoutError:
                    continue
                return 0
            return 1
        finally:
            self._stop.set()
            self.scheduler.pause()
            await asyncio.sleep(0)  # what was just fired begins, and sees that it is to stop
            await self._end_rounds()
            self.scheduler.shutdown(wait=False)

    async def _end_rounds(self) -> None:
        """Waits for the rounds under way, and not for a database that does not answer: what is cut off there is not
        committed."""
        if self._rounds:
            _, hung = await asyncio.wait(set(self._rounds), timeout=BATCH_SECONDS)
            for task in hung:
                task.cancel()
            if hung:
                log.warning("worker.cut_off", count=len(hung))
                await asyncio.wait(hung, timeout=BATCH_SECONDS)

    async def sweep(self) -> None:
        """The job: raises what has become overdue."""

        def signed() -> None:
            self.swept = time.monotonic()
            self._go_on()

        await self._round("sweep", _swept_and_logged, signed)

    async def extend(self) -> None:
        """The job: plans without end grow."""
        await self._round("extend", batches.extend, self._go_on)

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise _Stopping

    async def _round(self, name: str, work: Callable[..., Awaitable[int]], after_batch: Callable[[], None]) -> None:
        """Runs one round to its end. What it raises is logged, never passed on: the next one tries again, and the watch
        counts the time."""
        began = time.monotonic()
        task = asyncio.current_task()
        assert task is not None
        self._rounds.add(task)
        try:
            self._go_on()
            done = await work(self.db, self.clock, after_batch=after_batch)
            log.info(
                "job.finished",
                job=name,
                count=done,
                took_ms=round((time.monotonic() - began) * 1000),
                today=self.clock.today(),
            )
        except _Stopping:
            log.info("job.stopped", job=name)
        except FollowUpError as refused:
            log.error("job.failed", job=name, kind=refused.code)
        except Exception as error:  # noqa: BLE001 - the worker outlives whatever one round meets
            log.error("job.failed", job=name, kind=type(error).__name__)
        finally:
            self._rounds.discard(task)


async def _swept_and_logged(db: Database, clock: Clock, *, after_batch: Callable[[], None]) -> int:
    raised = await batches.sweep(db, clock, after_batch=after_batch)
    if jump := await batches.jump(db, clock):
        log.warning("sweep.day_jumped", swept=jump.before, today=jump.after)
    return raised


async def run(db: Database, clock: Clock, interval: timedelta) -> int:
    """The worker as a process: until SIGTERM or SIGINT (0), or until its sweeps have stood still (1)."""
    worker = Worker(db, clock, interval)
    loop = asyncio.get_running_loop()
    for signalled in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signalled, worker.ask_to_stop)
    worker.start()
    log.info("worker.started", minutes=interval.total_seconds() / 60, today=clock.today())
    code = await worker.wait()
    log.info("worker.stopped", status=code)
    return code
