"""The types of the alert feed's answers."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from app.api.answers import Answer
from app.followup.alerts import AlertEventType


class EventData(Answer):
    alert_id: UUID
    visit_id: UUID
    patient_id: UUID
    centre: str
    code: str
    window_end: date
    state: str
    resolved_by: str | None = None


class FeedEvent(Answer):
    """One event of the alert feed, named as CloudEvents does."""

    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: AlertEventType
    subject: str
    time: datetime
    seq: int
    data: EventData


class Feed(Answer):
    """Events after a cursor, oldest first; `next_cursor` is given on an empty page too."""

    items: list[FeedEvent]
    next_cursor: str
    has_more: bool
