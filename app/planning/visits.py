"""What a visit is: its window, its outcome, and the facts that planning and people decide about it. Days are local
(Europe/Stockholm)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

Day = TypeVar("Day")


@dataclass(frozen=True, slots=True)
class Window(Generic[Day]):
    """The days on which a visit is on time, both ends included; dates in Python, columns in SQL."""

    start: Day
    end: Day


class Outcome(StrEnum):
    """How a visit was closed; an open visit has none."""

    COMPLETED = "completed"
    MISSED = "missed"
    CANCELLED = "cancelled"


class VisitState(StrEnum):
    """What a reader sees: three states follow from the day while the visit is open, three from its outcome."""

    PLANNED = "planned"
    DUE = "due"
    OVERDUE = "overdue"
    COMPLETED = "completed"
    MISSED = "missed"
    CANCELLED = "cancelled"


BEFORE_REGISTRATION = "before-registration"
ENTERED_IN_ERROR = "entered-in-error"
NOT_REQUIRED = "not-required"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit as it stands. `id` is None until it is stored. `decided_by` tells that a person or a system set the
    outcome, so no replan touches that; None with an outcome is planning's own mark, made anew at every replan. Target
    and window are None when people closed it and its plan has no such code any more: it keeps its day and counts in no
    figure (contract 3, rule 4). `decided_on` is the local day of the act, `confirmed_for` the window's first day for
    which a person has confirmed that the visit was closed before it."""

    id: UUID | None
    version: int
    code: str
    anchor: str
    provisional: bool
    target_on: date | None
    window_start: date | None
    window_end: date | None
    suggested_on: date | None
    report_due_on: date | None
    centre: str
    end_centre: str
    outcome: Outcome | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decided_on: date | None = None
    confirmed_for: date | None = None
    booked_on: date | None = None
    completed_on: date | None = None
    completed_mode: str | None = None
    performed_by: str | None = None
    response: str | None = None
    response_text: str | None = None
    alert_after: date | None = None

    @property
    def is_open(self) -> bool:
        """Planned, due or overdue, booked or not."""
        return self.outcome is None

    @property
    def is_decided(self) -> bool:
        """Closed by a person or a system, not by planning."""
        return self.decided_by is not None

    @property
    def window(self) -> Window[date] | None:
        """The days on which the visit is on time; an open visit has them."""
        return window(self.window_start, self.window_end)

    def holds(self, day: date) -> bool:
        """Whether a local day lies in the window."""
        return self.window is not None and self.window.start <= day <= self.window.end

    @property
    def on_time(self) -> bool | None:
        """Whether the visit was done inside its window; None while it is not done, and without a window."""
        return on_time(self.completed_on, self.window)

    @property
    def closed_before(self) -> date | None:
        """The window's first day when people closed the visit before it, on the day done or by their word that it was
        missed; else None."""
        if self.outcome is Outcome.COMPLETED:
            closed_on = self.completed_on
        else:
            closed_on = self.decided_on if self.outcome is Outcome.MISSED else None
        return self.window_start if closed_on and self.window_start and closed_on < self.window_start else None

    @property
    def shown_booking(self) -> date | None:
        """The booked day as readers see it."""
        return shown_booking(self.booked_on, self.outcome, self.decided_by)


# The same rules for whatever carries these facts: a visit of a plan, or a row of a list.


def window(start: date | None, end: date | None) -> Window[date] | None:
    """The window, where there is one."""
    return None if start is None or end is None else Window(start, end)


def on_time(completed_on: date | None, within: Window[date] | None) -> bool | None:
    """Whether a visit was done inside its window; None while it is not done, and without a window."""
    return None if completed_on is None or within is None else within.start <= completed_on <= within.end


def shown_booking(booked_on: date | None, outcome: Outcome | None, decided_by: str | None) -> date | None:
    """The booked day; a visit that planning closed keeps its booking unseen, for the day when the closing is taken
    back."""
    return booked_on if outcome is None or decided_by is not None else None


@dataclass(frozen=True, slots=True)
class Plan:
    """One protocol version followed for one patient from one anchor infusion. `id` is None until it is stored."""

    id: UUID | None
    version: int
    infusion_id: UUID
    protocol_code: str
    protocol_version: int
    purpose: str
    plan_class: str
    treating_centre: str
    consent: str
    state: str
    ends_on: date | None
    endless: bool
    visits: tuple[Visit, ...]
