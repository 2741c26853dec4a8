"""An infusion and a protocol make visits. Months and years are calendar months and years from the anchor itself; days
and weeks are plain days."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from app.planning.protocol import Anchor, Offset, Protocol, VisitRule
from app.planning.visits import Window
from app.planning.workdays import suggested

ASSUMED_STAY = timedelta(days=14)  # between infusion and a discharge not known yet (domain.md 2, own decision)
PROVISIONAL_UNTIL = timedelta(days=90)  # after the infusion: so long may the discharge date be missing
PLANNED_AHEAD = 5  # calendar years; plans without end


class Planned(NamedTuple):
    """One visit as the protocol wants it: local days."""

    code: str
    anchor: str
    provisional: bool
    target_on: date
    window_start: date
    window_end: date
    suggested_on: date | None
    report_due_on: date | None


def moved(anchor: date, offset: Offset) -> date:
    """The day at an offset from the anchor: plain days and weeks; calendar months and years, the month's last day where
    it has no such day (lag 1930:173, 1 §)."""
    if offset.days is not None:
        return anchor + timedelta(days=offset.days)
    if offset.weeks is not None:
        return anchor + timedelta(weeks=offset.weeks)
    return months_later(anchor, offset.months if offset.months is not None else 12 * (offset.years or 0))


def months_later(day: date, months: int) -> date:
    """The same day of the month so many calendar months later (earlier when negative), or the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if day.day <= 28:
        return date(year, month + 1, day.day)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def schedule(
    protocol: Protocol, infused_on: date, discharged_on: date | None, birth_date: date | None, today: date
) -> list[Planned]:
    """The visits of a protocol for one anchor infusion, in the protocol's order. Rules that count from a birth date not
    known are left out. `today` (local date) bounds only protocols without end: all that lies within five calendar years
    from it is planned."""
    return [
        visit
        for rule in _rules(protocol, infused_on, today)
        if (visit := _planned(rule, infused_on, discharged_on, birth_date)) is not None
    ]


def _rules(protocol: Protocol, infused_on: date, today: date) -> Iterator[VisitRule]:
    yield from protocol.rules
    number = len(protocol.rules)
    while protocol.endless:
        rule = protocol.further(number)
        if moved(infused_on, rule.offset) > months_later(today, 12 * PLANNED_AHEAD):
            return
        yield rule
        number += 1


def _planned(rule: VisitRule, infused_on: date, discharged_on: date | None, birth_date: date | None) -> Planned | None:
    provisional = False
    if rule.anchor is Anchor.INFUSION:
        anchor = infused_on
    elif rule.anchor is Anchor.DISCHARGE:
        provisional = discharged_on is None
        anchor = discharged_on or infused_on + ASSUMED_STAY
    elif birth_date is None:
        return None
    else:
        anchor = birth_date
    target = moved(anchor, rule.offset)
    start, end = target - timedelta(days=rule.before), target + timedelta(days=rule.after)
    if provisional:
        # So that no response check is lost for want of a date, and it is overdue like any other afterwards.
        end = max(end, infused_on + PROVISIONAL_UNTIL)
    report = None if rule.report_due is None else infused_on + timedelta(days=rule.report_due)
    return Planned(
        rule.code, rule.anchor.value, provisional, target, start, end, suggested(target, Window(start, end)), report
    )
