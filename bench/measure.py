"""What a figure is, and how one is taken beside its floor on a machine that others use too."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Round = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` and `floor` in `unit`, the smaller the better; `ratio` is floor by value, 1 where
    nothing is lost; `growth` is the value by that of the smallest size that shows as much, taken in the same
    rounds.

    A goal is a least ratio (`>= 0.5`) or a bound of the value (`<= 10 ms`)."""

    name: str
    size: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    growth: float | None = None
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


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: value and floor in seconds, and what they are beside each other and beside the smallest size."""

    value: float
    floor: float | None
    ratio: float | None
    growth: float | None

    def figure(self, name: str, size: str, *, least_ratio: float | None = None, most: float | None = None) -> Figure:
        """As a line of the table, in milliseconds."""
        floor = None if self.floor is None else self.floor * 1000
        return Figure(name, size, self.value * 1000, "ms", floor, self.ratio, self.growth, least_ratio, most)


async def in_turn(
    sizes: Sequence[tuple[Round, Round | None]], *, rounds: int, amounts: Sequence[object] = ()
) -> list[Measured]:
    """Figure and floor of each size, the smallest first, from rounds that take all of them in turn, the other way round
    every time. A take answers the seconds for one piece of work. Ratios are medians of those within a round: what slows
    the machine slows all that is compared. Growth is beside the smallest size with the same amount of work, such as the
    rows and persons of a page: a small nation may have less to show."""
    amounts = amounts or [None] * len(sizes)
    takes = [
        (size, kind, take) for size, pair in enumerate(sizes) for kind, take in enumerate(pair) if take is not None
    ]
    taken: dict[tuple[int, int], list[float]] = {(size, kind): [] for size, kind, _ in takes}
    for number in range(rounds):
        for size, kind, take in takes if number % 2 == 0 else reversed(takes):
            taken[size, kind].append(await take())
    return [
        Measured(
            median(taken[size, 0]),
            median(taken[size, 1]) if floor is not None else None,
            _median_ratio(taken[size, 1], taken[size, 0]) if floor is not None else None,
            _median_ratio(taken[size, 0], taken[first, 0]) if (first := amounts.index(amounts[size])) < size else None,
        )
        for size, (_, floor) in enumerate(sizes)
    ]


def _median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def seconds(work: Callable[[], object]) -> float:
    """Seconds of this thread's own work: it waits for nothing, and what others do meanwhile does not count."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def table(figures: list[Figure]) -> str:
    """The table as text that is Markdown too."""
    head = ("figure", "size", "value", "floor", "ratio", "growth", "goal", "met")
    rows = [
        (
            f.name,
            f.size,
            _amount(f.value, f.unit),
            _amount(f.floor, f.unit),
            _ratio(f.ratio),
            _ratio(f.growth),
            f.goal,
            "yes" if f.met else "NO",
        )
        for f in figures
    ]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if value >= 100 or value == int(value) else f"{value:.3g} {unit}"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
