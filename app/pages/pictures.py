"""Pictures of a patient's years: facts in, SVG out. Each state has a shape besides its colour, and the table beside it
holds the same figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any, Final

from markupsafe import Markup, escape

RIGHT, WIDTH, LINE, BAR, FOOT = 960, 1000, 34, 12, 24
CHARACTER, LEVEL = 7, 16  # no character of 11 px is wider on the average of a word; the height of a line of words
DIAMOND = 5  # half of an infusion's mark, which ends at its day: the first window may open right after
# What stands on a bar: done in time, done late or early (beside the bar), missed, overdue, not required.
MARKS: Final[Mapping[str, str]] = {"completed": "✓", "missed": "✗", "overdue": "!", "cancelled": "–"}
Item = Mapping[str, Any]
Happened = tuple[date, str]


@dataclass(frozen=True, slots=True)
class Lane:
    """One plan: what it is called, the local day of its infusion, the visits that are drawn, as the API tells them, the
    last day that it was made for, and where it broke off: the day and why."""

    name: str
    infused_on: date
    visits: Sequence[Item]
    last: date
    ended: Happened | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a picture in the reader's language: title, description, today's mark, and how one visit is
    described."""

    title: str
    description: str
    today: str
    visit: Callable[[Item], str]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where days stand: from the first at `left` to the last at RIGHT."""

    first: date
    last: date
    left: int

    def x(self, day: date) -> float:
        """The place of a local day; a day beyond them (a booking mistyped by a century) stands at its edge."""
        days = (min(max(day, self.first), self.last) - self.first).days
        return round(self.left + days * (RIGHT - self.left) / max((self.last - self.first).days, 1), 1)


def years(lanes: Sequence[Lane], happened: Sequence[Happened], today: date, words: Words) -> Markup:
    """The follow-up of a patient in one picture: a line for each plan, a bar for each window, events above, today's
    line through all. Days are local; nothing for a patient without a plan."""
    if not lanes:
        return Markup("")
    scale = _scale(lanes, happened, today)
    now = (today, words.today)
    levels = _levels([*happened, now], scale)
    top = LEVEL * (1 + max(level for _, level in levels)) + 8
    floor = top + LINE * len(lanes)
    parts = [_axis(scale, top, floor)]
    parts += [
        _flag(flag, top - 8 - LEVEL * level, scale, "today" if flag is now else "event", floor if flag is now else top)
        for flag, level in levels
    ]
    parts += [_lane(lane, scale, top + LINE * n + LINE / 2, words) for n, lane in enumerate(lanes)]
    reach = [_reach(flag, scale) for flag, _ in levels] + [
        _end(lane, scale) + DIAMOND + _length(lane.ended[1]) for lane in lanes if lane.ended
    ]
    return Markup(
        '<svg role="img" class="years" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        "<title>{title}</title><desc>{desc}</desc>{parts}</svg>"
    ).format(
        width=ceil(max(WIDTH, *reach)),
        height=floor + FOOT,
        title=words.title,
        desc=words.description,
        parts=Markup("").join(parts),
    )


def _scale(lanes: Sequence[Lane], happened: Sequence[Happened], today: date) -> _Scale:
    days = (
        [today]
        + [on for on, _ in happened]
        + [lane.infused_on for lane in lanes]
        + [lane.ended[0] for lane in lanes if lane.ended]
    )
    last = max(days + [lane.last for lane in lanes])
    return _Scale(
        min(days), last + timedelta(days=30), _length(max((lane.name for lane in lanes), key=len)) + 4 * DIAMOND
    )


def _length(word: str) -> int:
    return CHARACTER * len(word)


def _axis(scale: _Scale, top: int, floor: int) -> Markup:
    step = 1 if (scale.last - scale.first).days < 365 * 17 else 2
    days = [date(year, 1, 1) for year in range(scale.first.year + 1, scale.last.year + 1, step)]
    line = Markup(
        '<line class="year" x1="{x}" x2="{x}" y1="{top}" y2="{end}"/>'
        '<text class="soft" x="{x}" y="{y}" dx="2">{year}</text>'
    )
    return Markup("").join(
        line.format(x=scale.x(day), top=top, end=floor + 6, y=floor + 19, year=day.year) for day in days
    )


# ---- What happened, above the lanes ----------------------------------------------------------------------------------


def _reach(flag: Happened, scale: _Scale) -> float:
    """How far to the right the word of an event goes."""
    return scale.x(flag[0]) + 3 + _length(flag[1])


def _levels(flags: Sequence[Happened], scale: _Scale) -> list[tuple[Happened, int]]:
    """Each word with its line of text, counted from below: the lowest that is free. The latest come first, so that the
    words before them stand higher, and few lines run through a word; the highest are drawn first, so that a word lies
    over a line."""
    placed: list[tuple[Happened, int]] = []
    for flag in sorted(flags, key=lambda flag: flag[0], reverse=True):
        taken = {
            level
            for other, level in placed
            if scale.x(other[0]) <= _reach(flag, scale) and scale.x(flag[0]) <= _reach(other, scale)
        }
        placed.append((flag, next(level for level in range(len(flags)) if level not in taken)))
    return sorted(placed, key=lambda both: both[1], reverse=True)


def _flag(flag: Happened, y: int, scale: _Scale, kind: str, foot: int) -> Markup:
    return Markup(
        '<g class="{kind}"><line x1="{x}" x2="{x}" y1="{y1}" y2="{y2}"/><text x="{x}" y="{y}" dx="3">{word}</text></g>'
    ).format(kind=kind, x=scale.x(flag[0]), y1=y - 9, y2=foot, y=y, word=flag[1])


# ---- One plan --------------------------------------------------------------------------------------------------------


def _end(lane: Lane, scale: _Scale) -> float:
    """Where the line of a plan ends: where it broke off, but behind all that is drawn of it."""
    drawn = [sum(_bar(visit, lane, scale)) for visit in lane.visits] + [
        _mark(visit, lane, scale) + DIAMOND for visit in lane.visits
    ]
    return (
        max([scale.x(lane.ended[0]), scale.x(lane.infused_on), *drawn]) + 2
        if lane.ended
        else max(drawn, default=scale.x(lane.infused_on))
    )


def _lane(lane: Lane, scale: _Scale, y: float, words: Words) -> Markup:
    x, end = scale.x(lane.infused_on), _end(lane, scale)
    parts = [
        Markup('<text x="4" y="{y}">{name}</text>').format(y=y + 4, name=lane.name),
        Markup('<line class="lane" x1="{x}" x2="{end}" y1="{y}" y2="{y}"/>').format(x=x, end=end, y=y),
        Markup('<path class="infusion" d="M{x} {y}l-{r} -{r}l-{r} {r}l{r} {r}z"/>').format(x=x, y=y, r=DIAMOND),
        *[_visit(visit, lane, scale, y, words) for visit in lane.visits],
    ]
    if lane.ended:
        broken = Markup(
            '<g class="end"><line x1="{x}" x2="{x}" y1="{top}" y2="{foot}"/>'
            '<text x="{x}" y="{y}" dx="{dx}">{word}</text></g>'
        )
        parts.append(broken.format(x=end, top=y - 8, foot=y + 8, y=y + 4, dx=DIAMOND, word=lane.ended[1]))
    return Markup("").join(parts)


def _bar(visit: Item, lane: Lane, scale: _Scale) -> tuple[float, float]:
    """Where a window's bar begins and how wide it is: wide enough for its mark, and never over the infusion."""
    start, end = scale.x(visit["window_start"]), scale.x(visit["window_end"])
    width = max(end - start, 1.0 * BAR)
    return max(round((start + end - width) / 2, 1), scale.x(lane.infused_on)), round(width, 1)


def _mark(visit: Item, lane: Lane, scale: _Scale) -> float:
    """The middle of a visit's mark: on the bar, or beside it for a visit that was done late or early."""
    start, width = _bar(visit, lane, scale)
    if visit["completed_on"] is None or visit["on_time"]:
        return round(start + width / 2, 1)
    done = scale.x(visit["completed_on"])
    beside = (
        max(done, start + width + DIAMOND)
        if visit["completed_on"] > visit["window_end"]
        else min(done, start - DIAMOND)
    )
    return round(max(beside, scale.x(lane.infused_on) + DIAMOND), 1)


def _visit(visit: Item, lane: Lane, scale: _Scale, y: float, words: Words) -> Markup:
    start, width = _bar(visit, lane, scale)
    kind = visit["state"] if visit["completed_on"] is None or visit["on_time"] else f"{visit['state']} beside"
    parts = [
        Markup('<rect class="bar {state}" x="{x}" y="{y}" width="{width}" height="{bar}"/>').format(
            state=visit["state"], x=start, y=y - BAR / 2, width=width, bar=BAR
        )
    ]
    if visit["state"] in MARKS:
        mark = Markup('<text class="mark {kind}" x="{x}" y="{y}">{mark}</text>')
        parts.append(mark.format(kind=kind, x=_mark(visit, lane, scale), y=y + 4, mark=MARKS[visit["state"]]))
    if visit["booked_on"] and visit["state"] in ("planned", "due", "overdue"):
        parts.append(
            Markup('<text class="mark booked" x="{x}" y="{y}">▲</text>').format(
                x=scale.x(visit["booked_on"]), y=y + BAR + 5
            )
        )
    return Markup('<g class="visit"><title>{title}</title>{parts}</g>').format(
        title=escape(words.visit(visit)), parts=Markup("").join(parts)
    )
