"""Swedish working days, and the day that a booking form suggests (domain.md 2). Days are local (Europe/Stockholm)."""

from datetime import date, timedelta
from functools import cache

from holidays import country_holidays

from app.planning.visits import Window

SATURDAY = 5


@cache
def red_days(year: int) -> frozenset[date]:
    """The days of one year that are free whatever the weekday: red days (lag 1989:253), and Midsummer, Christmas and
    New Year's Eve. Known from 1953 to 2100; one year takes some milliseconds, so it is counted once, when the first
    plan reaches it."""
    return frozenset(country_holidays("SE", years=year, categories=("public", "de_facto"), include_sundays=False))


def is_working_day(day: date) -> bool:
    """Neither Saturday nor Sunday, nor a red day or one of the three eves."""
    return day.weekday() < SATURDAY and day not in red_days(day.year)


def suggested(target: date, window: Window[date]) -> date | None:
    """The working day inside the window that is nearest to the target, the later one on a tie (own decision); None when
    there is none."""
    if is_working_day(target):
        return target
    for distance in range(1, max((target - window.start).days, (window.end - target).days) + 1):
        for day in (target + timedelta(distance), target - timedelta(distance)):
            if window.start <= day <= window.end and is_working_day(day):
                return day
    return None
