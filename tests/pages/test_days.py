"""Days and weeks as the pages tell them, on every day from 2014 to 2044."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.pages import days

EVERY_DAY = [date(2014, 1, 1) + timedelta(days=n) for n in range((date(2045, 1, 1) - date(2014, 1, 1)).days)]


def test_a_week_is_the_one_that_holds_its_thursday_on_every_day():
    for day in EVERY_DAY:
        thursday = day + timedelta(days=3 - day.weekday())
        week = (thursday.timetuple().tm_yday - 1) // 7 + 1
        assert days.weeks(day, day, day) == str(week), day


def test_2026_has_a_week_53():
    assert days.weeks(date(2026, 12, 28), date(2027, 1, 3), date(2026, 11, 23)) == "53"


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2026-10-21", "2027-01-19", "43–3"),
        ("2026-11-23", "2026-11-29", "48"),
        ("2024-02-26", "2024-05-27", "9–22 2024"),
        ("2028-12-18", "2029-03-18", "51–11 2029"),
    ],
)
def test_weeks_go_across_the_year_and_tell_a_year_that_is_not_near(start: str, end: str, told: str):
    assert days.weeks(date.fromisoformat(start), date.fromisoformat(end), date(2026, 11, 23)) == told


@pytest.mark.parametrize(("instant", "told"), [((2026, 11, 23, 7, 2), "08.02"), ((2026, 7, 1, 22, 30), "00.30")])
def test_the_clock_is_stockholms(instant: tuple[int, ...], told: str):
    assert days.clock(datetime(*instant, tzinfo=UTC)) == told


@pytest.mark.parametrize(("number", "told"), [(1, (0, 1)), (90, (0, 90)), (91, (2, 0)), (365, (12, 0)), (900, (29, 0))])
def test_up_to_ninety_days_are_days_and_more_are_months(number: int, told: tuple[int, int]):
    assert days.months_and_days(number) == told


def test_a_day_in_full_is_in_the_readers_language():
    assert days.long_day(date(2026, 11, 23), "sv") == "måndag 23 november 2026"
    assert days.long_day(date(2026, 11, 23), "en_GB") == "Monday 23 November 2026"


def test_the_local_day_of_an_instant_goes_with_its_local_clock():
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert (days.local_day(late), days.clock(late)) == (date(2026, 11, 23), "00.30")
    assert days.local_day(datetime(2026, 7, 31, 21, 59, tzinfo=UTC)) == date(2026, 7, 31)
