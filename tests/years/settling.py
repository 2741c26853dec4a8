"""What each act leaves behind: bookings, alerts and the events of the feed (contract.md 3 rules 4, 8, 9 and 10). Part
of tests/model.py."""

from datetime import date

from tests.years.facts import (
    ONLY,
    SOFT,
    Alert,
    Key,
    Person,
    Visit,
    endings,
    is_care,
    responsible_on,
    signs,
    status,
    visits_of,
)
from tests.years.refusals import Unspecified


def settle(p: Person, today: date) -> list[tuple[Key, str, str, str, str | None]]:
    """Brings bookings and alerts to what the facts say now; answers the events of the feed."""
    now = visits_of(p, today)
    told: list[tuple[Key, str, str, str, str | None]] = []
    revived = [key for key, before in p.stood.items() if key[1] == ONLY and now[key].given and not before.given]
    if revived and len(p.live()) < len(p.infusions):
        raise Unspecified("a hand-over plan begins anew after its infusion was voided")
    if any(
        on >= e.on and order < e.order
        for e in endings(p)
        if e.type in SOFT and e.until is None
        for on, order in signs(p, e)
    ):
        raise Unspecified("gone on or before a day in care that was told before")
    is_now, was = status(p, now), p.status
    if (is_now == "lost") != (was == "lost") and any(alert.window.end >= today for alert in p.alerts.values()):
        raise Unspecified("lost or found with an alert ahead of its day")
    p.responsible, p.status = responsible_on(p, date.max), is_now
    note_moves(p, now)
    for key, visit in now.items():
        alert, before, booked = p.alerts.get(key), p.stood.get(key), p.bookings.get(key)
        if booked and before and before.window != visit.window and not visit.window.start <= booked <= visit.window.end:
            del p.bookings[key]
        is_wanted = not visit.outcome and visit.window.end < today and is_now in ("in-follow-up", "plan-ended", "lost")
        if alert:
            moved = (
                "replanned" if alert.window != visit.window else "transferred" if alert.centre != visit.centre else None
            )
            why = visit.outcome or ("followed-elsewhere" if is_now == "followed-elsewhere" else moved)
            if why:
                told.append((key, "alert.resolved", alert.centre, "resolved", why))
                del p.alerts[key]
        if is_wanted and key not in p.alerts:
            p.alerts[key] = alert = Alert(
                "acknowledged" if is_now == "lost" else "open", visit.centre or "", visit.window
            )
            told.append((key, "visit.overdue", alert.centre, alert.state, None))
        elif is_wanted and alert and is_now == "lost" and alert.state == "open":
            alert.state = "acknowledged"
            told.append((key, "alert.acknowledged", alert.centre, alert.state, None))
        elif is_wanted and alert and is_now != "lost" and alert.state == "acknowledged" and not alert.by_person:
            alert.state = "open"
            told.append((key, "alert.reopened", alert.centre, alert.state, None))
    p.stood, p.stood_on = now, today
    return told


def note_moves(p: Person, now: dict[Key, Visit]) -> None:
    """What the questions for decisions rest on: windows that have moved since, plans that were open."""
    for key, d in p.decisions.items():
        d.was_moved = d.was_moved or d.window.start != now[key].window.start
    is_open = any(is_care(key) and not visit.outcome for key, visit in now.items())
    p.was_open = p.was_open or is_open
    for event in p.events:
        event.was_open = event.was_open or is_open
