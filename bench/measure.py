"""What a figure is, and how one is taken beside its floor on a machine that others use too."""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Round = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` and `floor` in `unit`, the smaller the better; `ratio` is floor by value, 1 where nothing is lost.

    A goal is a least ratio (`>= 0.5`) or a bound of the value (`<= 10 ms`)."""

    name: str
    size: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    least_ratio: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        if self.least_ratio is not None:
            return self.ratio is not None and self.ratio >= self.least_ratio
        return self.most is None or self.value <= self.most

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.least_ratio is not None:
            return f"ratio >= {self.least_ratio}"
        return "" if self.most is None else f"<= {self.most:g} {self.unit}"

    def told(self) -> dict[str, Any]:
        """As it stands in results.json."""
        return asdict(self) | {"goal": self.goal, "met": self.met}


async def beside(figure: Round, floor: Round, *, rounds: int) -> tuple[float, float, float]:
    """Figure, floor and ratio, from rounds in turn. Each round answers the seconds for one piece of work; they change places every time, so
    that neither has the warmer half. The ratio is the median of the ratios of neighbours: what slows the machine slows both."""
    figures, floors = [], []
    for number in range(rounds):
        pair = ((figure, figures), (floor, floors))
        for take, taken in pair if number % 2 == 0 else reversed(pair):
            taken.append(await take())
    ratios = [low / high for low, high in zip(floors, figures, strict=True)]
    return median(figures), median(floors), median(ratios)


def seconds(work: Callable[[], object]) -> float:
    """Seconds of this thread's own work: it waits for nothing, and what others do meanwhile does not count."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def table(figures: list[Figure]) -> str:
    """The table as text that is Markdown too."""
    head = ("figure", "size", "value", "floor", "ratio", "growth", "goal", "met")
    rows = [
        (f.name, f.size, _amount(f.value, f.unit), _amount(f.floor, f.unit), _ratio(f.ratio), _growth(f, figures), f.goal, "yes" if f.met else "NO")
        for f in figures
    ]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in [head, *rows]]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if value >= 100 or value == int(value) else f"{value:.3g} {unit}"


def kind(name: str) -> str:
    """What a figure measures, without the counts that differ by size: `sweep, nothing new beside 101,529 flagged, SQLite` at any size."""
    return re.sub(r"[\d,]*\d", "", name)


def growth(figure: Figure, figures: list[Figure]) -> float | None:
    """How many times the figure at the smallest size this one is, when it is the one at the largest of several; else None."""
    same = [other for other in figures if kind(other.name) == kind(figure.name)]
    if len(same) < 2 or figure is not same[-1] or not same[0].value:
        return None
    return figure.value / same[0].value


def _growth(figure: Figure, figures: list[Figure]) -> str:
    return _ratio(growth(figure, figures))


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
