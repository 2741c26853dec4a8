"""The worker's watch: what it decides from two clocks, and what follows."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.worker import PARTED_SECONDS, Reading, Verdict, Worker, judge, parted_seconds

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
START = Reading(NOON, 1000.0)


def later(monotonic: float, wall: float | None = None) -> Reading:
    """Both clocks so many seconds after the start."""
    return Reading(NOON + timedelta(seconds=monotonic if wall is None else wall), START.monotonic + monotonic)


@pytest.mark.parametrize(
    ("now", "swept", "verdict"),
    [
        (later(10), 0.0, Verdict.GOOD),
        (later(1800), 0.0, Verdict.GOOD),
        (later(1801), 0.0, Verdict.LATE),
        (later(90_000), 89_000.0, Verdict.GOOD),
        (later(10, 70), 0.0, Verdict.GOOD),
        (later(10, 71), 0.0, Verdict.PARTED),
        (later(10, -50), 0.0, Verdict.GOOD),
        (later(10, -51), 0.0, Verdict.PARTED),
        (later(10, 10 - 3600), 0.0, Verdict.PARTED),  # set back an hour
        (later(10, 10 + 200 * 86_400), 0.0, Verdict.PARTED),  # the machine slept
        (later(5000, 10_000), 0.0, Verdict.PARTED),  # the sweep that follows may mend the rest
    ],
)
def test_the_watch_decides_from_readings_alone(now: Reading, swept: float, verdict: Verdict) -> None:
    assert judge(START, now, swept=START.monotonic + swept, interval=QUARTER) is verdict


@given(st.floats(0, 1e7), st.floats(-1e7, 1e7))
def test_clocks_have_parted_by_as_much_as_somebody_set_them(passed: float, by: float) -> None:
    now = later(passed, passed + by)
    assert parted_seconds(START, now) == pytest.approx(by, abs=1e-2)
    verdict = judge(START, now, swept=now.monotonic, interval=QUARTER)
    if abs(abs(by) - PARTED_SECONDS) > 1:
        assert verdict is (Verdict.PARTED if abs(by) > PARTED_SECONDS else Verdict.GOOD)


@pytest.fixture
async def worker(sqlite_url: str) -> AsyncIterator[Worker]:
    db = Database(sqlite_url, Keys.fresh())
    yield Worker(db, Clock(), QUARTER)
    await db.close()


async def test_parted_clocks_give_every_job_a_new_time(worker: Worker) -> None:
    worker.start()
    moved = Reading(worker.clock.now() - timedelta(hours=1), time.monotonic())
    assert worker.look(moved) is Verdict.PARTED
    assert {job.next_run_time for job in worker.scheduler.get_jobs()} == {moved.wall}
    assert worker.look(moved) is Verdict.GOOD
    await worker.stop()


async def test_a_worker_that_has_not_swept_for_two_intervals_ends_with_one(worker: Worker) -> None:
    worker.swept = time.monotonic() - 2 * QUARTER.total_seconds() - 1
    worker.start()
    assert await worker.wait() == 1


async def test_a_stopped_worker_ends_with_zero_and_leaves_nothing_running(worker: Worker) -> None:
    worker.start()
    worker.ask_to_stop()
    assert await worker.wait() == 0
    assert not worker.scheduler.running


async def test_a_sweep_that_fails_is_logged_and_counts_as_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    db = Database(f"sqlite:///{tmp_path_factory.mktemp('empty') / 'not-migrated.db'}", Keys.fresh())
    worker = Worker(db, Clock(), QUARTER)
    before = worker.swept
    await worker.sweep()
    assert worker.swept == before
    await db.close()


async def test_a_sweep_is_a_sign_of_life(worker: Worker) -> None:
    worker.swept = 0.0
    await worker.sweep()
    assert time.monotonic() - worker.swept < 60
