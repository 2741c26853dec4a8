"""Working days and the suggested day, against domain.md 2 and an Easter and a calendar of our own."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planning.visits import Window
from app.planning.workdays import is_working_day, suggested

FIRST, LAST = date(1990, 1, 1), date(2099, 12, 31)


def around(target: str, before: int = 30, after: int = 60) -> tuple[date, Window[date]]:
    day = date.fromisoformat(target)
    return day, Window(day - timedelta(before), day + timedelta(after))


# domain.md 2, the table of worked examples; window -30/+60 where none is named.
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("2025-04-15", "2025-04-15"),
        ("2026-03-04", "2026-03-04"),
        ("2028-03-04", "2028-03-03"),  # Saturday
        ("2040-03-04", "2040-03-05"),  # Sunday
        ("2025-02-28", "2025-02-28"),
        ("2026-02-28", "2026-02-27"),
        ("2027-02-28", "2027-03-01"),
        ("2028-02-29", "2028-02-29"),
        ("2025-11-30", "2025-12-01"),
        ("2026-08-31", "2026-08-31"),
        ("2029-06-06", "2029-06-07"),  # National Day on a Wednesday: a tie, the later one
        ("2026-12-25", "2026-12-23"),
        ("2027-06-25", "2027-06-24"),  # Midsummer Eve
        ("2026-04-03", "2026-04-02"),  # Good Friday
    ],
)
def test_the_suggested_day_is_the_nearest_working_day(target, expected):
    assert suggested(*around(target)) == date.fromisoformat(expected)


def test_a_window_without_a_working_day_suggests_none():
    assert suggested(date(2026, 12, 25), Window(date(2026, 12, 25), date(2026, 12, 26))) is None


def test_a_day_outside_the_window_is_never_suggested_however_near():
    assert suggested(date(2028, 3, 4), Window(date(2028, 3, 4), date(2028, 5, 3))) == date(2028, 3, 6)
    assert suggested(date(2040, 3, 4), Window(date(2040, 2, 3), date(2040, 3, 4))) == date(2040, 3, 2)


# Lag (1989:253) om allmänna helgdagar, and the three eves; 2026 and 2027 by the almanac.
FREE = {
    2026: "01-01 01-06 04-03 04-06 05-01 05-14 06-19 12-24 12-25 12-31",
    2027: "01-01 01-06 03-26 03-29 05-06 06-25 12-24 12-31",
}


@pytest.mark.parametrize("year", FREE)
def test_the_free_weekdays_of_a_year_are_those_of_the_almanac(year):
    days = (date(year, 1, 1) + timedelta(n) for n in range(365))
    free = [day.isoformat()[5:] for day in days if day.weekday() < 5 and not is_working_day(day)]
    assert free == FREE[year].split()


def easter(year: int) -> date:
    """Gauss's rule with Lichtenberg's correction."""
    k = year // 100
    m = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25
    s = 2 - (3 * k + 3) // 4
    a = year % 19
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    sz = 7 - (year + year // 4 + s) % 7
    return date(year, 3, 1) + timedelta(og + 7 - (og - sz) % 7 - 1)


def free(day: date) -> bool:
    """By the law's own words: which days are red, and the eves that everybody has."""
    fixed = {(1, 1), (1, 6), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}
    if day.year >= 2005:
        fixed.add((6, 6))
    movable = {-2, 1, 39} if day.year >= 2005 else {-2, 1, 39, 50}  # Whit Monday was given up for the National Day
    midsummer_eve = day.weekday() == 4 and date(day.year, 6, 19) <= day <= date(day.year, 6, 25)
    return (
        day.weekday() >= 5 or (day.month, day.day) in fixed or (day - easter(day.year)).days in movable or midsummer_eve
    )


def test_every_day_of_a_century_agrees_with_an_independent_calendar():
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    assert [day for day in days if is_working_day(day) == free(day)] == []


@given(st.dates(date(1991, 1, 1), date(2098, 12, 31)), st.integers(0, 60), st.integers(0, 60))
def test_no_working_day_of_the_window_is_nearer_than_the_suggested_one(target, before, after):
    window = Window(target - timedelta(before), target + timedelta(after))
    working = [day for n in range(before + after + 1) if not free(day := window.start + timedelta(n))]
    day = suggested(target, window)
    if not working:
        assert day is None
    else:
        nearest = min(abs((other - target).days) for other in working)
        assert day == max(other for other in working if abs((other - target).days) == nearest)
