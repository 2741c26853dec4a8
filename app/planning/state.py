"""The state rule, written once: called with dates it answers, called with columns it is SQL."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from app.planning.visits import Outcome, VisitState, Window

# Only <, <= and & are used, since dates and columns share them. There is no exception: what is unusual about a visit
# stands in its window.
ON_DAY: Mapping[VisitState, Callable[[Window[Any], Any], Any]] = {
    VisitState.PLANNED: lambda window, today: today < window.start,
    VisitState.DUE: lambda window, today: (window.start <= today) & (today <= window.end),
    VisitState.OVERDUE: lambda window, today: window.end < today,
}


def state(outcome: Outcome | None, window: Window[date] | None, today: date) -> VisitState:
    """The state of a visit on a local day: its outcome when closed, else planned, due or overdue by its window
    (contract 2)."""
    if outcome is not None:
        return VisitState(outcome.value)
    assert window is not None, "an open visit has a window"
    return next(name for name, holds in ON_DAY.items() if holds(window, today))


def days_overdue(outcome: Outcome | None, window: Window[date] | None, today: date) -> int:
    """Plain days since the window ended, 0 while it has not or when the visit is closed."""
    return (today - window.end).days if outcome is None and window is not None and window.end < today else 0
