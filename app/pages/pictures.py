"""Pictures of a patient's years: facts in, SVG out. Each state has a shape besides its colour, and the table beside it holds the same figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from markupsafe import Markup, escape

LEFT, RIGHT, TOP, LINE, BAR = 120, 960, 46, 34, 12
# What stands on a bar: done in time, done late or early (beside the bar), missed, overdue.
MARKS: Final[Mapping[str, str]] = {"completed": "✓", "missed": "✗", "overdue": "!"}
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lane:
    """One plan: what it is called, the local day of its infusion, and its visits as the API tells them."""

    name: str
    infused_on: date
    visits: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Told:
    """The words of a picture in the reader's language: title, description, today's mark, and how one visit is told."""

    title: str
    description: str
    today: str
    visit: Callable[[Item], str]


def years(lanes: Sequence[Lane], events: Sequence[tuple[date, str]], today: date, told: Told) -> Markup:
    """The follow-up of a patient in one picture: a line for each plan, a bar for each window, events above, today's line through all. Days are
    local; nothing for a patient without a plan."""
    if not lanes:
        return Markup("")
    first = min([lane.infused_on for lane in lanes] + [on for on, _ in events])
    last = max([visit["window_end"] for lane in lanes for visit in lane.visits] + [today]) + timedelta(days=30)
    scale: float = (RIGHT - LEFT) / max((last - first).days, 1)

    def x(day: date) -> float:
        return round(LEFT + (day - first).days * scale, 1)

    height = TOP + LINE * len(lanes) + 24
    parts = [_axis(first, last, x, height), *[_event(on, word, x) for on, word in events]]
    for n, lane in enumerate(lanes):
        parts += [_lane(lane, x, TOP + LINE * n + LINE / 2, told)]
    parts.append(_today(today, x, height, told.today))
    return Markup(
        '<svg role="img" class="years" viewBox="0 0 1000 {height}" width="1000" height="{height}">'
        "<title>{title}</title><desc>{desc}</desc>{parts}</svg>"
    ).format(height=height, title=told.title, desc=told.description, parts=Markup("").join(parts))


def _axis(first: date, last: date, x: Callable[[date], float], height: float) -> Markup:
    step = 1 if (last - first).days < 365 * 17 else 2
    days = [date(year, 1, 1) for year in range(first.year + 1, last.year + 1, step)]
    lines = [Markup('<line class="year" x1="{x}" x2="{x}" y1="{top}" y2="{end}"/>').format(x=x(day), top=TOP - 4, end=height - 18) for day in days]
    words = [Markup('<text class="soft" x="{x}" y="{y}">{year}</text>').format(x=x(day) + 2, y=height - 5, year=day.year) for day in days]
    return Markup("").join(lines + words)


def _event(on: date, word: str, x: Callable[[date], float]) -> Markup:
    return Markup('<g class="event"><text x="{x}" y="14">{word} ↓</text><line x1="{x}" x2="{x}" y1="18" y2="{top}"/></g>').format(
        x=x(on), word=word, top=TOP
    )


def _today(today: date, x: Callable[[date], float], height: float, word: str) -> Markup:
    return Markup('<g class="today"><line x1="{x}" x2="{x}" y1="24" y2="{end}"/><text x="{after}" y="{y}">{word}</text></g>').format(
        x=x(today), after=x(today) + 4, y=34, end=height - 18, word=word
    )


def _lane(lane: Lane, x: Callable[[date], float], y: float, told: Told) -> Markup:
    diamond = Markup('<text class="infusion" x="{x}" y="{y}">◆</text>').format(x=x(lane.infused_on) - 5, y=y + 4)
    name = Markup('<text x="4" y="{y}">{name}</text>').format(y=y + 4, name=lane.name)
    return Markup("").join([name, diamond, *[_visit(visit, x, y, told) for visit in lane.visits]])


def _visit(visit: Item, x: Callable[[date], float], y: float, told: Told) -> Markup:
    start, end = x(visit["window_start"]), x(visit["window_end"])
    width = max(end - start, 4)
    bar = Markup('<rect class="bar {state}" x="{x}" y="{y}" width="{width}" height="{bar}"/>').format(
        state=visit["state"], x=start, y=y - BAR / 2, width=round(width, 1), bar=BAR
    )
    mark = MARKS.get(visit["state"], "")
    at = x(visit["completed_on"]) - 4 if visit["completed_on"] and not visit["on_time"] else start + width / 2 - 4
    sign = Markup('<text class="mark {state}" x="{x}" y="{y}">{mark}</text>').format(state=visit["state"], x=round(at, 1), y=y + 4, mark=mark)
    booked = visit["booked_on"] if visit["state"] in ("planned", "due", "overdue") else None
    hat = Markup('<text class="booked" x="{x}" y="{y}">▲</text>').format(x=x(booked) - 5, y=y + BAR + 6) if booked else Markup("")
    return Markup('<g class="visit"><title>{told}</title>{bar}{sign}{hat}</g>').format(
        told=escape(told.visit(visit)), bar=bar, sign=sign if mark else "", hat=hat
    )
