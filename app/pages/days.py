"""Days as nurses say them: `2026-11-23` in tables, "måndag 23 november 2026" in headings, ISO weeks `v. 48`, and how
long ago in words."""

from datetime import date, datetime

from babel.dates import format_date

from app.clock import ZONE

MONTHS_FROM_DAYS = 90  # up to so many days are written in days, more in months


def long_day(day: date, locale: str) -> str:
    """A local day in full, in the words of `sv` or `en_GB`."""
    return format_date(day, "EEEE d MMMM y", locale=locale)


def weekday(day: date, locale: str) -> str:
    """The name of a local day's weekday."""
    return format_date(day, "EEEE", locale=locale)


def weeks(start: date, end: date, today: date) -> str:
    """The ISO weeks of local days, both ends included, as numbers: `48`, `49–2`, and with the year of the end where it
    is not today's: `2 2028`."""
    first, last, now = start.isocalendar(), end.isocalendar(), today.isocalendar()
    span = f"{last.week}" if first[:2] == last[:2] else f"{first.week}–{last.week}"
    is_near = first.year <= now.year <= last.year <= now.year + 1
    return span if is_near else f"{span} {last.year}"


def clock(instant: datetime) -> str:
    """The local time of an instant in UTC: `08.02`."""
    return instant.astimezone(ZONE).strftime("%H.%M")


def local_day(instant: datetime) -> date:
    """The local day of an instant in UTC."""
    return instant.astimezone(ZONE).date()


def months_and_days(days: int) -> tuple[int, int]:
    """A number of days as (whole months, 0) when it is more than 90, else (0, days)."""
    return (days * 12 // 365, 0) if days > MONTHS_FROM_DAYS else (0, days)
