"""What a visit is: its window, its outcome, and the facts that planning and people decide about it. Days are local (Europe/Stockholm)."""

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
    """One visit as it stands. `id` is None until it is stored. `decided_by` tells that a person or a system set the outcome, so no replan touches
    it; None with an outcome is planning's own mark, made anew at every replan."""

    id: UUID | None
    version: int
    code: str
    anchor: str
    provisional: bool
    target_on: date
    window_start: date
    window_end: date
    suggested_on: date | None
    report_due_on: date | None
    centre: str
    end_centre: str
    outcome: Outcome | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
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
    def window(self) -> Window[date]:
        """The days on which the visit is on time."""
        return Window(self.window_start, self.window_end)

    @property
    def shown_booking(self) -> date | None:
        """The booked day; a visit that planning closed keeps its booking unseen, for the day when the closing is taken back."""
        return self.booked_on if self.is_open or self.is_decided else None


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
