"""What the API tells beside single patients and their visits: who needs a decision, the catalogue, figures, imports,
logs, the demo's day."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.api.answers import Answer, Label, PageOf, PatientBlock


class UndecidedPatient(PatientBlock):
    """A patient who needs a decision: why, since when, and when last heard of (local days)."""

    responsible_centre: str
    needs_decision: Literal["infusion-refused", "deceased-reported", "plan-ended", "no-plan", "no-contact"]
    since: date
    last_heard_on: date
    follow_up_until: date | None


class UndecidedPage(PageOf):
    items: list[UndecidedPatient]


class Centre(Answer):
    code: str
    name: str
    city: str
    region: str
    hsa_id: str | None
    status: Literal["active", "upcoming"]
    lat: float | None
    lon: float | None
    manufactures: str | None


class Centres(Answer):
    items: list[Centre]


class Product(Answer):
    code: str
    inn: str | None
    brand: str | None
    name: Label
    target: str | None
    vector: str | None
    atmp_class: str | None
    class_: str | None = Field(alias="class")
    infusions_per_course: int
    course_days: int | None
    protocol: str | None
    status_eu: str | None
    verified: bool


class Products(Answer):
    items: list[Product]


class VisitRule(Answer):
    code: str
    label: Label
    anchor: str
    offset: dict[str, int]
    before: int
    after: int
    mode: list[str]
    assessments: list[str]
    report_due: int | None


class Protocol(Answer):
    """One version of a protocol; it never changes."""

    code: str
    version: int
    title: str
    purpose: str
    restart: str
    needs_consent: bool
    classes: list[str]
    applies_if: str | None
    source: str
    verified: bool
    endless: bool
    rules: list[VisitRule]


class Protocols(Answer):
    items: list[Protocol]


# A number, or "<5": fewer than five persons stand behind it, or it is kept back because such a figure could be worked
# out from it.
Figure = int | Literal["<5"]


class ContextCount(Answer):
    context: str
    infusions: Figure
    patients: Figure
    reinfusions: Figure
    first_infused_on: date | None


class VisitCounts(Answer):
    planned: Figure
    due: Figure
    overdue: Figure
    completed: Figure
    missed: Figure
    not_required: Figure


class Completeness(Answer):
    """Done of all whose window has closed, and the fraction it is made of."""

    done: Figure
    closed: Figure
    percent: float | None


class OnTime(Answer):
    on_time: Figure
    done: Figure
    percent: float | None


class Figures(Answer):
    infusions: Figure
    patients: Figure
    children: Figure
    courses: Figure
    reinfusions: Figure
    by_context: list[ContextCount]
    visits: VisitCounts
    lost: Figure
    followed_elsewhere: Figure
    completeness: Completeness
    on_time: OnTime
    unexplained: str | None


class FiguresOfCentre(Figures):
    centre: str


class CentreSummary(FiguresOfCentre):
    """One centre in numbers, as of a local day."""

    as_of_date: date


class NetworkSummary(Figures):
    """The network in numbers, as of a local day, and each of its centres."""

    as_of_date: date
    network: str
    centres: list[FiguresOfCentre]


class ImportItem(Answer):
    row: int
    verdict: Literal["accepted", "unchanged", "rejected"]
    code: str | None
    field: str | None
    message: str | None
    infusion_id: UUID | None
    warnings: list[str] = Field([])


class ImportReport(Answer):
    """What became of each row of a file."""

    id: UUID
    state: Literal["running", "finished", "interrupted"]
    dry_run: bool
    rows: int
    total: int
    accepted: int
    unchanged: int
    rejected: int
    items: list[ImportItem]


class DemoDay(Answer):
    today: date


class DemoMoved(DemoDay):
    raised: int


class Fact(Answer):
    """One change: who, when, what, before, after."""

    id: UUID
    at: datetime
    actor: str
    actor_id: str | None
    role: str
    unit: str
    kind: str
    object_id: str
    act: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class History(PageOf):
    items: list[Fact]


class Access(Answer):
    """One read: who, when, from which unit, what, why."""

    id: UUID
    at: datetime
    actor: str
    actor_id: str | None
    role: str
    unit: str
    what: str
    why: str | None


class Accesses(PageOf):
    items: list[Access]
