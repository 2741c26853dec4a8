"""Sixty kills of the worker just after a commit: no alert missing, none twice, the events without a gap.

Killed at random, a worker is nearly always hit while it waits. So each kill comes 0 to 4 ms after the database has
changed for the k-th time since the worker began: the `-wal` file of SQLite, or the head row in PostgreSQL, which every
writing commit moves.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from signal import SIGKILL

import psycopg
import pytest

from tests.databases import KINDS, Kind
from tests.faults.conftest import Given
from tests.faults.forks import Child, Dead, Forks
from tests.faults.given import LATER
from tests.faults.state import ask
from tests.invariants import check_invariants

FIRST, STEP = date(2026, 1, 5), timedelta(days=30)
SWEPT = re.compile(r"job\.finished.*sweep")


@contextmanager
def _changes(url: str) -> Iterator[Callable[[], object]]:
    """Something that differs after every change of the database; looking at it takes microseconds, and holds nobody
    up."""
    if url.startswith("sqlite"):
        wal = Path(url.partition("///")[2] + "-wal")

        def look() -> object:
            try:
                found = wal.stat()
            except FileNotFoundError:
                return None
            return found.st_size, found.st_mtime_ns

        yield look
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield lambda: connection.execute("SELECT last_at FROM feed_head").fetchall()


def _kill(child: Child, look: Callable[[], object], change: int, delay: float) -> None:
    """Kills the worker `delay` seconds after the change of that number; or now, when its sweep is over and it waits for
    the next."""
    seen, changes, looks, until = look(), 0, 0, time.monotonic() + 60
    while changes < change:
        now, looks = look(), looks + 1
        if now != seen:
            seen, changes = now, changes + 1
        elif looks % 200 == 0 and child.log.exists() and SWEPT.search(child.log.read_text()):
            break
        elif time.monotonic() > until:
            raise Dead(child.log.read_text())
    then = time.perf_counter() + delay
    while time.perf_counter() < then:
        pass
    child.kill()


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_killed_just_after_a_commit_loses_no_alert_and_raises_none_twice(
    forks: Forks, given: Given, kind: Kind
) -> None:
    """The worker as it is run: it sweeps as it starts, so each one is killed at its first changes."""
    url, dice, day = given.copy("many", kind), random.Random(20261123), FIRST
    for _ in range(10):
        day += timedelta(days=150)
        with _changes(url) as look:
            child = forks.start("work", url=url, day=str(day))
            _kill(child, look, dice.randint(1, 2 if kind == "sqlite" else 8), dice.uniform(0, 0.004))
        assert forks.ended(child) == -SIGKILL, child.log.read_text()
        _check(url, day)
    forks.run("sweep", url=url, day=str(day))
    _check(url, day, swept=True)


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_rounds_killed_just_after_a_commit_lose_no_alert_and_raise_none_twice(
    forks: Forks, given: Given, kind: Kind
) -> None:
    """The worker's rounds, day after day without a rest, so that each kill hits one at work."""
    url, dice, day = given.copy("many", kind), random.Random(20261123), FIRST
    for _ in range(20):
        with _changes(url) as look:
            child = forks.start("sweep_on", url=url, day=str(day), until=LATER, step=STEP.days)
            _kill(child, look, dice.randint(1, 10), dice.uniform(0, 0.004))
        assert forks.ended(child) == -SIGKILL, child.log.read_text()
        # The last day that was over; it is killed in the next.
        day = max([day, *map(date.fromisoformat, child.lines())])
        _check(url, day + STEP)
    forks.run("sweep", url=url, day=str(day + STEP))
    _check(url, day + STEP, swept=True)
    assert FIRST < day < date.fromisoformat(LATER)


def _check(url: str, day: date, *, swept: bool = False) -> None:
    check_invariants(url, day, swept=swept)
    assert (
        ask(url, "SELECT visit_id FROM events WHERE type = 'visit.overdue' GROUP BY visit_id HAVING count(*) > 1") == []
    )
