"""The answers' types: they feed OpenAPI and check nothing on the way out. What is sent are plain dicts of `followup`,
dumped by orjson."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.planning.facts import FollowUpStatus


class Answer(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(populate_by_name=True)


class Fault(Answer):
    """One fault: where, a code for machines, and why. `in` says where it stands when that is not the body."""

    pointer: str
    code: str
    message: str
    in_: Literal["query", "path", "header"] | None = Field(None, alias="in")


class Problem(Answer):
    """An error by RFC 9457, and what machines need to go on: which fields changed, which object stands, where to begin
    anew."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    code: str
    errors: list[Fault] = []
    changed: list[str] | None = None
    infusion_id: UUID | None = None
    event_id: UUID | None = None
    version: int | None = None
    current_version: int | None = None
    current: str | None = None
    attempts: int | None = None
    resolved_by: str | None = None
    snapshot: str | None = None
    retry_after: int | None = None


class StoredSource(Answer):
    system: str
    id: str


class ProtocolVersion(Answer):
    code: str
    version: int


class Label(Answer):
    sv: str
    en: str


class PatientBlock(Answer):
    """A patient in lists; of a protected identity name, day, number and phone are null."""

    id: UUID
    name: str | None
    birth_date: date | None
    masked_number: str | None
    phone: str | None
    protected: bool


class MaskedNumber(Answer):
    system: str
    masked: str
    since: date


class StoredContactPerson(Answer):
    name: str
    relation: str | None
    phone: str | None


class Patient(PatientBlock):
    version: int
    identifiers: list[MaskedNumber]
    contact_persons: list[StoredContactPerson]
    preferred_channel: str | None
    responsible_centre: str
    registered_at: datetime
    merged_ids: list[UUID]


class FoundPatient(PatientBlock):
    responsible_centre: str
    status: FollowUpStatus


class FoundPatients(Answer):
    items: list[FoundPatient]
    has_more: bool


class Plan(Answer):
    """One protocol version followed for one patient."""

    id: UUID
    version: int
    patient_id: UUID
    protocol: ProtocolVersion
    purpose: Literal["care", "registry", "study"]
    class_: str | None = Field(alias="class")
    anchor_infusion_id: UUID
    consent: Literal["not-needed", "asked", "yes", "no", "withdrawn"]
    state: Literal["active", "replaced", "ended"]
    ends_on: date | None


class Plans(Answer):
    items: list[Plan]


class Visit(Answer):
    """One visit, as of a local day."""

    closed: list[str] = []  # of a protected identity: which of people's own words there are
    id: UUID
    version: int
    plan_id: UUID
    protocol: ProtocolVersion
    purpose: Literal["care", "registry", "study"]
    infusion_id: UUID
    patient_id: UUID
    centre: str
    code: str
    label: Label
    anchor: Literal["infusion", "discharge", "birth"]
    mode: list[str]
    provisional: bool
    waits_for: str | None
    target_on: date | None
    window_start: date | None
    window_end: date | None
    suggested_on: date | None
    report_due_on: date | None
    state: Literal["planned", "due", "overdue", "completed", "missed", "cancelled"]
    days_overdue: int
    booked_on: date | None
    completed_on: date | None
    completed_mode: str | None
    on_time: bool | None
    performed_by: str | None
    response: str | None
    response_text: str | None
    cancel_reason: str | None
    missed_reason: str | None
    assessments: list[str]


class PlannedVisit(Visit):
    """A visit in a preview: not stored yet, so it may have no id and no plan."""

    id: UUID | None  # type: ignore[assignment]
    plan_id: UUID | None  # type: ignore[assignment]


class PlannedPlan(Plan):
    id: UUID | None  # type: ignore[assignment]


class OpenVisit(Answer):
    id: UUID
    code: str
    protocol: str


class OneVisit(Visit):
    as_of_date: date
    also_open: list[OpenVisit]
    patient: PatientBlock


class Contact(Answer):
    closed: list[str] = []  # of a protected identity: which of people's own words there are
    id: UUID
    visit_id: UUID | None
    channel: str | None
    outcome: str | None
    contacted_on: date
    note: str | None
    remind_on: date | None
    source: StoredSource | None
    recorded_at: datetime
    recorded_by: str


class DueVisit(Visit):
    patient: PatientBlock
    last_contact: Contact | None
    needs_decision: (
        Literal[
            "deceased-reported",
            "overdue-twelve-months",
            "two-windows-missed",
            "three-attempts",
            "decided-before-window",
        ]
        | None
    )


class InfusionOfList(Answer):
    """One infusion event; plans and visits are left out in lists."""

    closed: list[str] = []  # of a protected identity: which of people's own words there are
    id: UUID
    version: int
    patient_id: UUID
    centre: str
    product: str
    context: Literal["SOC", "ACT", "ICT", "CUP", "HE"]
    infused_on: date
    discharged_on: date | None
    indication: str | None
    batch: str | None
    batch_expires_on: date | None
    in_specification: bool | None
    continues: UUID | None
    new_course: bool
    source: StoredSource | None
    registered_on: date
    infusion_number: int | None
    course_number: int | None
    reinfusion: bool
    voided: bool
    void_reason: str | None


class SiblingVisit(Answer):
    """Another visit of the same plan."""

    visit_id: UUID
    code: str


class DoneOutside(Answer):
    """A done visit whose window a change has moved away from its day; `fits` is the visit of its plan whose window
    holds that day."""

    visit_id: UUID
    code: str
    completed_on: date
    window_start: date | None
    window_end: date | None
    fits: SiblingVisit | None


class Infusion(InfusionOfList):
    as_of_date: date
    warnings: list[str]
    plans: list[Plan]
    follow_up_until: date | None
    visits: list[Visit]


class VisitPlacement(Answer):
    state: str
    target_on: date | None
    window_start: date | None
    window_end: date | None
    centre: str


class Change(Answer):
    visit_id: UUID
    code: str
    from_: VisitPlacement = Field(alias="from")
    to: VisitPlacement
    why: str


class DroppedBooking(Answer):
    visit_id: UUID
    code: str
    booked_on: date


class Preview(Answer):
    """What recording an infusion would make and change."""

    as_of_date: date
    plans: list[PlannedPlan]
    visits: list[PlannedVisit]
    changes: list[Change]
    dropped_bookings: list[DroppedBooking]
    warnings: list[str]
    known_elsewhere: bool


class ChangedInfusion(Infusion):
    dropped_bookings: list[DroppedBooking]
    done_outside_window: list[DoneOutside]


class ChangedPatient(Patient):
    dropped_bookings: list[DroppedBooking]
    warnings: list[str] = []
    done_outside_window: list[DoneOutside] = []


class ChangedVisit(OneVisit):
    dropped_bookings: list[DroppedBooking]


class PatientEvent(Answer):
    """Something that happened to a patient; with `where`, `centre`, `entered_in_error`, or what was decided, by its
    type."""

    closed: list[str] = []  # of a protected identity: which of people's own words there are
    id: UUID
    type: str
    on: date
    note: str | None
    source: StoredSource | None
    recorded_at: datetime
    recorded_by: str
    where: str | None = None
    centre: str | None = None
    entered_in_error: bool | None = None
    decision: Literal["extend", "hand-over", "close", "not-deceased"] | None = None
    reason: str | None = None
    protocol: str | None = None
    infusion_id: UUID | None = None


class ReportedEvent(PatientEvent):
    dropped_bookings: list[DroppedBooking]


class Alert(Answer):
    closed: list[str] = []  # of a protected identity: which of people's own words there are
    id: UUID
    version: int
    visit_id: UUID
    patient_id: UUID
    centre: str
    code: str
    window_end: date
    purpose: str
    state: Literal["open", "acknowledged", "resolved"]
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    reason: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class Transition(Answer):
    """Somebody treated as a child: from when the hand-over is to be prepared, the 18th birthday, and whether that time
    is now."""

    prepare_from: date
    turns_18_on: date
    due: bool


class FollowUp(Answer):
    """One patient's follow-up in one answer."""

    patient: Patient
    as_of_date: date
    responsible_centre: str
    status: FollowUpStatus
    plans: list[Plan]
    infusions: list[InfusionOfList]
    visits: list[Visit]
    transition: Transition | None
    next_visit: Visit | None
    last_seen_on: date | None
    last_contact_on: date | None
    follow_up_until: date | None
    alerts: list[Alert]
    contacts: list[Contact]
    events: list[PatientEvent]


class PageOf(Answer):
    """A page of a list."""

    next_cursor: str | None
    has_more: bool
    as_of_date: date
    total: int | None = None


class InfusionPage(PageOf):
    items: list[InfusionOfList]


class VisitPage(PageOf):
    items: list[DueVisit]


class AlertPage(PageOf):
    """The alerts as they stand, and the feed's cursor that fits them."""

    items: list[Alert]
    feed_cursor: str
