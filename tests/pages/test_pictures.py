"""The picture of a patient's years: a shape and a word for every state, and nothing that the table does not hold."""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from app.pages.pictures import Lane, Told, years

TODAY = date(2026, 11, 23)
WORDS = Told("Fifteen years", "A bar for each window", "today w. 48", lambda visit: f"{visit['code']}: {visit['state']}")


def a_visit(state: str, start: date = date(2026, 10, 1), **more: Any) -> dict[str, Any]:
    told = {"code": "Y01", "state": state, "window_start": start, "window_end": start + timedelta(days=90), "on_time": None}
    return {"completed_on": None, "booked_on": None} | told | more


def drawn(*visits: dict[str, Any], events: list[tuple[date, str]] | None = None) -> str:
    return str(years([Lane("1 · ltfu-15y", date(2025, 10, 20), visits)], events or [], TODAY, WORDS))


@pytest.mark.parametrize(("state", "mark"), [("completed", "✓"), ("missed", "✗"), ("overdue", "!"), ("due", ""), ("planned", ""), ("cancelled", "")])
def test_a_state_is_told_by_shape_and_word_besides_colour(state: str, mark: str):
    done = {"completed_on": date(2026, 10, 20), "on_time": True} if state == "completed" else {}
    picture = drawn(a_visit(state, **done))
    assert f'class="bar {state}"' in picture
    assert f"<title>Y01: {state}</title>" in picture
    assert re.findall(r'class="mark \w+"[^>]*>(.)<', picture) == ([mark] if mark else [])


def test_a_visit_done_late_has_its_tick_beside_the_bar():
    within = drawn(a_visit("completed", completed_on=date(2026, 10, 20), on_time=True))
    late = drawn(a_visit("completed", completed_on=date(2027, 3, 1), on_time=False))
    (bar,) = re.findall(r'rect class="bar completed" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', late)
    ticks = [float(re.findall(r'class="mark completed" x="([\d.]+)"', picture)[0]) for picture in (within, late)]
    assert ticks[1] > float(bar[0]) + float(bar[1])
    assert ticks[0] < ticks[1]


def test_a_booking_is_a_triangle_only_while_the_visit_is_open():
    assert "▲" in drawn(a_visit("due", booked_on=date(2026, 12, 1)))
    assert "▲" not in drawn(a_visit("completed", booked_on=date(2026, 12, 1), completed_on=date(2026, 12, 1), on_time=True))


def test_today_and_what_happened_stand_in_the_picture():
    picture = drawn(a_visit("due"), events=[(date(2026, 5, 1), "Relapse")])
    assert "today w. 48" in picture
    assert "Relapse ↓" in picture


def test_a_word_of_a_person_cannot_break_the_picture():
    assert "<script>" not in drawn(a_visit("due"), events=[(TODAY, "<script>alert(1)</script>")])


def test_a_patient_without_a_plan_has_no_picture():
    assert years([], [], TODAY, WORDS) == ""
