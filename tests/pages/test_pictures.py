"""The picture of a patient's years: a shape and a word for every state, and nothing that the table does not hold."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages.pictures import CHARACTER, DIAMOND, Lane, Words, years

TODAY = date(2026, 11, 23)
WORDS = Words(
    "Fifteen years", "A bar for each window", "today w. 48", lambda visit: f"{visit['code']}: {visit['state']}"
)


def a_visit(state: str, start: date = date(2026, 10, 1), **more: Any) -> dict[str, Any]:
    told = {
        "code": "Y01",
        "state": state,
        "window_start": start,
        "window_end": start + timedelta(days=90),
        "on_time": None,
    }
    return {"completed_on": None, "booked_on": None} | told | more


def drawn(*visits: dict[str, Any], events: list[tuple[date, str]] | None = None) -> str:
    return str(years([Lane("Infusion 1", date(2025, 10, 20), visits, date(2040, 12, 1))], events or [], TODAY, WORDS))


@pytest.mark.parametrize(
    ("state", "mark"),
    [("completed", "✓"), ("missed", "✗"), ("overdue", "!"), ("due", ""), ("planned", ""), ("cancelled", "–")],
)
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
    ticks = [float(re.findall(r'class="mark completed[^"]*" x="([\d.]+)"', picture)[0]) for picture in (within, late)]
    assert ticks[1] > float(bar[0]) + float(bar[1])
    assert ticks[0] < ticks[1]


def test_a_booking_is_a_triangle_only_while_the_visit_is_open():
    assert "▲" in drawn(a_visit("due", booked_on=date(2026, 12, 1)))
    assert "▲" not in drawn(
        a_visit("completed", booked_on=date(2026, 12, 1), completed_on=date(2026, 12, 1), on_time=True)
    )


def test_today_and_what_happened_stand_in_the_picture():
    picture = drawn(a_visit("due"), events=[(date(2026, 5, 1), "Relapse")])
    assert "today w. 48" in picture
    assert ">Relapse<" in picture


def test_a_plan_that_broke_off_says_why_where_its_line_ends():
    lane = Lane(
        "Infusion 1", date(2025, 10, 20), [a_visit("missed")], date(2040, 12, 1), (date(2026, 6, 1), "superseded")
    )
    picture = str(years([lane], [], TODAY, WORDS))
    assert re.findall(r'<g class="end">.*?<text[^>]*>(.*?)</text>', picture) == ["superseded"]
    (bar,), (end,) = (
        re.findall(r'rect class="bar missed" x="([\d.]+)"', picture),
        re.findall(r'<g class="end"><line x1="([\d.]+)"', picture),
    )
    assert float(end) > float(bar)


@dataclass(frozen=True)
class Box:
    """What a part of a picture covers."""

    kind: str
    left: float
    right: float
    top: float
    bottom: float

    def covers(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def boxes(picture: str) -> tuple[Box, list[Box]]:
    """The whole sheet, and every bar, infusion and word on it; a word is told to be as wide as CHARACTER for each of
    its signs."""
    svg = ElementTree.fromstring(picture)
    found = []
    for group in svg.iter():
        for part in group:
            x, y = float(part.get("x", 0)), float(part.get("y", 0))
            if part.tag == "rect":
                found.append(Box("bar", x, x + float(part.get("width", 0)), y, y + float(part.get("height", 0))))
            elif part.tag == "path":
                x, y = map(float, re.findall(r"^M([\d.]+) ([\d.]+)", part.get("d", ""))[0])
                found.append(Box("infusion", x - 2 * DIAMOND, x, y - DIAMOND, y + DIAMOND))
            elif part.tag == "text":
                left, wide = x + float(part.get("dx", 0)), CHARACTER * len(part.text or "")
                left -= wide / 2 if "mark" in part.get("class", "") else 0
                kind = group.get("class", "") if group.get("class") != "years" else "word"
                found.append(Box(kind, left, left + wide, y - 9, y + 3))
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    return Box("sheet", 0, width, 0, height), found


@st.composite
def some_visits(draw: st.DrawFn, infused_on: date) -> list[dict[str, Any]]:
    visits = []
    for after in sorted(draw(st.lists(st.integers(1, 5600), max_size=20))):
        start = infused_on + timedelta(days=after)
        end = start + timedelta(days=draw(st.integers(0, 120)))
        state = draw(st.sampled_from(["completed", "missed", "cancelled", "overdue", "due", "planned"]))
        done = draw(st.dates(infused_on, max(TODAY, infused_on))) if state == "completed" else None
        booked = draw(st.none() | st.dates(infused_on, date(2199, 12, 31)))
        on_time = None if done is None else start <= done <= end
        visits.append(a_visit(state, start, window_end=end, completed_on=done, booked_on=booked, on_time=on_time))
    return visits


@st.composite
def some_lanes(draw: st.DrawFn) -> list[Lane]:
    lanes = []
    for n in range(draw(st.integers(1, 4))):
        infused_on = draw(st.dates(date(2010, 1, 1), TODAY))
        visits = draw(some_visits(infused_on))
        ended = draw(st.none() | st.tuples(st.dates(infused_on, TODAY), st.text("abcå ", min_size=1, max_size=40)))
        last = max([visit["window_end"] for visit in visits] + [infused_on])
        lanes.append(Lane(f"Infusion {n} · {draw(st.text('abc', max_size=40))}", infused_on, visits, last, ended))
    return lanes


HAPPENED = st.lists(
    st.tuples(st.dates(date(2010, 1, 1), TODAY), st.text("abcå ", min_size=1, max_size=40)), max_size=12
)


@given(some_lanes(), HAPPENED)
def test_every_bar_infusion_and_word_lies_on_the_sheet(lanes: list[Lane], happened: list[tuple[date, str]]):
    sheet, found = boxes(str(years(lanes, happened, TODAY, WORDS)))
    assert len([box for box in found if box.kind == "bar"]) == sum(len(lane.visits) for lane in lanes)
    outside = [
        b for b in found if b.left < sheet.left or b.right > sheet.right or b.top < sheet.top or b.bottom > sheet.bottom
    ]
    assert outside == []


@given(some_lanes(), HAPPENED)
def test_no_word_of_an_event_lies_over_another_one_or_over_todays(lanes: list[Lane], happened: list[tuple[date, str]]):
    words = [box for box in boxes(str(years(lanes, happened, TODAY, WORDS)))[1] if box.kind in ("event", "today")]
    assert len(words) == len(happened) + 1
    assert [(one, other) for one, other in combinations(words, 2) if one.covers(other)] == []


@given(some_lanes(), HAPPENED)
def test_no_infusion_hides_a_bar_or_a_name(lanes: list[Lane], happened: list[tuple[date, str]]):
    found = boxes(str(years(lanes, happened, TODAY, WORDS)))[1]
    others = [box for box in found if box.kind in ("bar", "word")]
    assert [(one, other) for one in found if one.kind == "infusion" for other in others if one.covers(other)] == []


def test_a_word_of_a_person_cannot_break_the_picture():
    assert "<script>" not in drawn(a_visit("due"), events=[(TODAY, "<script>alert(1)</script>")])


def test_a_patient_without_a_plan_has_no_picture():
    assert years([], [], TODAY, WORDS) == ""
