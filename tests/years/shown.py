"""What the follow-up of a patient shows, in the words of contract.md 2. Part of tests/model.py."""

from datetime import date
from typing import Any

from tests.years.asked import ANY
from tests.years.facts import ONLY, Key, Person, Visit, courses, is_care, plans, state_on
from tests.years.schedule import PROTOCOLS, plus_months, suggested


def is_compared(p: Person, key: Key, visit: Visit, today: date) -> bool:
    """Not what planning gives no longer (but for a voided infusion's), and of an endless plan's later years the open
    ones of four years."""
    is_later = key[2][0] == "Y" and int(key[2][1:]) > 15
    is_kept = visit.given or visit.decided or (p.is_void(key) and key[1] != ONLY)
    return is_kept and not (is_later and (visit.outcome or visit.window.target > plus_months(today, 48)))


def is_endless(p: Person) -> bool:
    return any(PROTOCOLS[plan.protocol].endless for plan in plans(p))


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def shown_status(p: Person, now: dict[Key, Visit], is_now: str) -> str:
    """Open of a patient whom no protocol follows, and of one who is dead or gone and whose infusions are all voided."""
    never = is_now == "plan-ended" and not any(is_care(key) and visit.given for key, visit in now.items())
    return ANY if never or (not p.live() and is_now != "no-infusion") else is_now


def shown_visit(p: Person, key: Key, visit: Visit, today: date) -> dict[str, Any]:
    target, start, end, provisional = visit.window
    booked = p.bookings.get(key) if not visit.outcome else ANY if visit.decided else None
    days: dict[str, Any] = {"target_on": iso(target), "window_start": iso(start), "window_end": iso(end)}
    days |= {"suggested_on": iso(suggested(target, start, end)), "provisional": provisional}
    on_time = start <= visit.completed_on <= end if visit.completed_on else None
    if not visit.given and not p.is_void(key):  # its plan no longer has the code; or the whole plan went
        on_time = ANY if key[1] == ONLY else None
        days = dict.fromkeys(("target_on", "window_start", "window_end"), on_time)
    return days | {
        "state": state_on(visit, today),
        "reason": visit.reason,
        "days_overdue": (today - end).days if state_on(visit, today) == "overdue" else 0,
        "booked_on": booked if isinstance(booked, str) else iso(booked),
        "completed_on": iso(visit.completed_on),
        "on_time": on_time,
        "centre": visit.centre or ANY,
    }


def numbers(p: Person) -> dict[str, Any]:
    """(infusion_number, course_number, reinfusion) of each infusion that counts."""
    row = p.live()
    told: dict[str, Any] = {}
    for plan_class in {i.plan_class for i in row}:
        for course, members in enumerate(courses(p, plan_class), 1):
            for infusion in members:
                same_day = [i for i in row if i.infused_on == infusion.infused_on]
                number = ANY if len(same_day) > 1 else row.index(infusion) + 1
                told[infusion.ref] = [number, course, course > 1 and infusion is members[0]]
    return told
