"""What a change does to what stood before, for whoever has to know: moved visits, dropped bookings, done visits outside
their window (contract 3, preview and rule 4)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from app.followup.chart import Chart
from app.planning.state import state
from app.planning.visits import Visit


def effects(before: Chart | None, after: Chart, today: date) -> list[dict[str, Any]]:
    """What would change of the visits that stand: from, to and why (contract 3, preview)."""
    becomes = {visit.id: visit for visit in after.visits}
    found = []
    for visit in before.visits if before else []:
        now = becomes.get(visit.id, visit)
        was, then = _seen_in_preview(visit, today), _seen_in_preview(now, today)
        if was != then:
            found.append(
                {"visit_id": visit.id, "code": visit.code, "from": was, "to": then, "why": now.reason or "replanned"}
            )
    return found


def _seen_in_preview(visit: Visit, today: date) -> dict[str, Any]:
    shown = {
        "target_on": visit.target_on,
        "window_start": visit.window_start,
        "window_end": visit.window_end,
        "centre": visit.centre,
    }
    return {"state": state(visit.outcome, visit.window, today).value} | shown


def dropped_bookings(before: Chart | None, after: Chart) -> list[dict[str, Any]]:
    """The bookings of open visits that stood before and stand no more: moved outside their window, or closed (contract
    3, rule 4)."""
    shown = {visit.id: visit.shown_booking for visit in after.visits}
    stood: Sequence[Visit] = before.visits if before else ()
    return [
        {"visit_id": visit.id, "code": visit.code, "booked_on": visit.shown_booking}
        for visit in stood
        if visit.is_open and visit.booked_on is not None and shown.get(visit.id) is None
    ]


def done_outside_window(before: Chart | None, after: Chart) -> list[dict[str, Any]]:
    """The done visits whose window has moved away from their day, each with the visit of its plan whose window holds
    that day, if there is one (contract 3, rule 4)."""
    stood = {visit.id: visit.window for visit in before.visits} if before else {}
    return [
        {
            "visit_id": visit.id,
            "code": visit.code,
            "completed_on": done,
            "window_start": visit.window_start,
            "window_end": visit.window_end,
            "fits": next(({"visit_id": v.id, "code": v.code} for v in plan.visits if v.holds(done)), None),
        }
        for plan in after.plans
        for visit in plan.visits
        if (done := visit.completed_on) and not visit.on_time and stood.get(visit.id, visit.window) != visit.window
    ]
