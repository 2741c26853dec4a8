"""The plan of one infusion: sixteen visits from the protocol, without a database."""

from datetime import timedelta

from app.planning.plan import schedule
from bench.measure import Figure, seconds
from bench.people import PROTOCOL, TODAY


def plan(*, times: int, turns: int) -> Figure:
    """Infusions on every day of fifteen years, so that no day's answers are at hand from the one before. The
    best of some turns: others slow a turn down, and nothing speeds it up."""
    days = [TODAY - timedelta(days=n) for n in range(times)]

    def all_days() -> None:
        for day in days:
            schedule(PROTOCOL, day, day + timedelta(days=14), None, TODAY)

    all_days()  # the red days of a century are made at first need
    taken = [seconds(all_days) / times for _ in range(turns)]
    return Figure("plan of one infusion", "1", min(taken) * 1_000_000, "µs", most=60)
