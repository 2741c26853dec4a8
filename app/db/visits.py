"""Visits and contacts as they are asked for. The due list reads one index range a centre and merges them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    Executable,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)

from app.db import lookup, tables
from app.db.patients import PATIENT, PatientRow
from app.db.patients import opened as to_patient
from app.db.scope import cut, seen_by
from app.db.tables import contacts, infusions, patients, plans, visits
from app.db.transaction import AnyRow, Transaction
from app.planning.needs_decision import DECIDED_BEFORE_WINDOW
from app.planning.protocol import LONGEST_WINDOW, Purpose
from app.planning.state import ON_DAY
from app.planning.visits import BEFORE_REGISTRATION, Outcome, VisitState, Window

WINDOW = Window(visits.c.window_start, visits.c.window_end)
# How long before its end a window can have opened, so that a list does not look at visits of years ahead.
LONGEST_OPEN = timedelta(days=2 * LONGEST_WINDOW)


@dataclass(frozen=True, slots=True)
class DueFilter:
    """What the due list is narrowed to. Days are local, both ends included: `due_*` bound the window's end, `opens_to`
    its start."""

    state: tuple[VisitState, ...] = (VisitState.DUE, VisitState.OVERDUE)
    status: tuple[str, ...] = ("in-follow-up",)
    needs_decision: tuple[str, ...] = ()
    centre: str | None = None
    due_from: date | None = None
    due_to: date | None = None
    opens_to: date | None = None
    booked: bool | None = None
    product: str | None = None
    code: str | None = None
    purpose: str | None = None
    patient: UUID | None = None
    visits: tuple[UUID, ...] | None = None


class ListedVisit(NamedTuple):
    """A visit as lists show it, with what its row says of plan and patient, in the order of the columns.
    `after_a_lapse`: the window before it was missed or is overdue; `needs_confirmation`: people closed it before its
    window, as the dates now stand, and nobody has confirmed that."""

    id: UUID
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
    outcome: Outcome | None
    reason: str | None
    decided_by: str | None
    booked_on: date | None
    completed_on: date | None
    completed_mode: str | None
    performed_by: str | None
    response: str | None
    response_text: str | None
    plan_id: UUID
    infusion_id: UUID
    protocol_code: str
    protocol_version: int
    had_contact: bool
    after_a_lapse: bool | None
    needs_confirmation: bool
    patient: PatientRow


_BESIDE = ("had_contact", "after_a_lapse", "needs_confirmation")
_OWN = tuple(visits.c[name] for name in ListedVisit._fields if name not in (*_BESIDE, "patient"))
_OUTCOME, _PERSON = ListedVisit._fields.index("outcome"), ListedVisit._fields.index("patient")
_PATIENT = tuple(column.label(f"p_{column.name}") for column in PATIENT)
# What differs from call to call is a parameter, so that a statement is made once for a filter, and no cursor makes one.
_TODAY, _HORIZON = bindparam("today", type_=Date()), bindparam("horizon", type_=Date())
_AFTER_END, _AFTER_ID = bindparam("after_end", type_=Date()), bindparam("after_id", type_=Uuid())
_MOST = bindparam("most", type_=Integer())


def in_state(wanted: VisitState, today: date | BindParameter[date]) -> ColumnElement[bool]:
    """The state rule as SQL: the same functions over columns (app.planning.state)."""
    if wanted in ON_DAY:
        return and_(visits.c.outcome.is_(None), ON_DAY[wanted](WINDOW, today))
    return visits.c.outcome == wanted.value


def _conditions(wanted: DueFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [or_(*[in_state(name, _TODAY) for name in wanted.state])]
    if wanted.needs_decision:
        found.append(or_(*[_DECISIONS[word] for word in wanted.needs_decision]))
    if set(wanted.state) <= {VisitState.DUE, VisitState.OVERDUE}:
        # Said beside the rule, so that the index of open visits is used and bounded.
        found += [visits.c.outcome.is_(None), visits.c.window_end <= _HORIZON]
    found.append(_among(wanted))
    found += [condition for name, condition in _BY_VALUE.items() if getattr(wanted, name) is not None]
    if wanted.booked is not None:
        # A booking under planning's mark is kept but not shown (Visit.shown_booking).
        shown = and_(visits.c.booked_on.is_not(None), or_(visits.c.outcome.is_(None), visits.c.decided_by.is_not(None)))
        found.append(shown if wanted.booked else ~shown)
    return found


def _given(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
    return bindparam(name, type_=column.type)


# What a list is narrowed to by a value, which is a parameter of its statement.
_BY_VALUE: Mapping[str, ColumnElement[bool]] = {
    "due_from": visits.c.window_end >= _given("due_from", visits.c.window_end),
    "due_to": visits.c.window_end <= _given("due_to", visits.c.window_end),
    "opens_to": visits.c.window_start <= _given("opens_to", visits.c.window_start),
    "code": visits.c.code == _given("code", visits.c.code),
    "purpose": visits.c.purpose == _given("purpose", visits.c.purpose),
    "patient": visits.c.patient_id == _given("patient", visits.c.patient_id),
    "visits": visits.c.id.in_(bindparam("visits", expanding=True, type_=visits.c.id.type)),
    "product": lookup.found(
        infusions,
        infusions.c.id == visits.c.infusion_id,
        infusions.c.product == _given("product", infusions.c.product),
    ),
}


def _shape(wanted: DueFilter) -> DueFilter:
    """The filter with every value that is a parameter replaced by a mark: one statement serves them all."""
    marks: dict[str, Any] = {name: True for name in _BY_VALUE if getattr(wanted, name) is not None}
    return replace(wanted, **marks)


def _needs_confirmation() -> ColumnElement[bool]:
    """Done or declared missed before the window, as a date that was corrected or came late has moved it since, and not
    confirmed for that window; not where nothing is followed any more: the dead, the withdrawn, plans that are replaced
    or ended (contract 3, rule 4)."""
    return and_(
        visits.c.outcome.is_not(None),  # first: an open visit is not looked up
        tables.CLOSED_EARLY,
        lookup.is_one_of(visits.c.outcome, (Outcome.COMPLETED.value, Outcome.MISSED.value)),
        visits.c.confirmed_for.is_distinct_from(visits.c.window_start),
        ~lookup.is_one_of(patients.c.status, ("deceased", "withdrawn")),
        lookup.found(plans, plans.c.id == visits.c.plan_id, plans.c.state == "active"),
    )


# What a list can be narrowed to by `needs_decision`.
_DECISIONS = {DECIDED_BEFORE_WINDOW: _needs_confirmation()}


def _among(wanted: DueFilter) -> ColumnElement[bool]:
    """Whose visits, by status. `plan-ended` is nobody's stored status: it holds when no care visit is open any more."""
    stored = lookup.is_one_of(patients.c.status, [s for s in wanted.status if s not in ("in-follow-up", "plan-ended")])
    in_follow_up = lookup.is_one_of(patients.c.status, ["in-follow-up"])
    still = visits.alias()
    goes_on = lookup.found(
        still,
        still.c.patient_id == visits.c.patient_id,
        still.c.outcome.is_(None),
        still.c.purpose == Purpose.CARE.value,
    )
    if {"in-follow-up", "plan-ended"} <= set(wanted.status):
        return or_(stored, in_follow_up)
    if "plan-ended" in wanted.status:
        return or_(stored, and_(in_follow_up, ~goes_on))
    if "in-follow-up" not in wanted.status:
        return stored
    return or_(stored, and_(in_follow_up, goes_on))


def _branches(
    wanted: DueFilter, centres: Sequence[str], own: frozenset[str] | None, columns: Sequence[ColumnElement[Any]]
) -> list[Select[Any]]:
    """One select a centre; with a patient or visits given, one for all of these that the caller may see, whoever is
    responsible."""
    base = select(*columns).join(patients, patients.c.id == visits.c.patient_id).where(*_conditions(wanted))
    if wanted.patient is not None or wanted.visits is not None:
        narrowed = base if wanted.centre is None else base.where(visits.c.centre == wanted.centre)
        return [narrowed.where(seen_by(own, visits))]
    if not set(wanted.state) <= set(ON_DAY):
        base = base.where(seen_by(own, visits))  # a closed visit may hang on a voided infusion; an open one does not
    return [base.where(visits.c.centre == centre) for centre in centres if own is None or centre in own]


async def page(
    tx: Transaction, wanted: DueFilter, centres: Sequence[str], today: date, after: tuple[date, UUID] | None, limit: int
) -> list[ListedVisit]:
    """At most `limit` visits of the centres (the caller's own, as given), by window end, then id, after the given
    place."""
    last_day = after is not None and after[0] == date.max
    query = _page(_shape(wanted), tuple(centres), tx.actor.centres, after is not None, last_day)
    if query is None:
        return []
    params = _values(wanted, today) | {"most": limit}
    if after is not None:
        params |= {"after_end": after[0], "after_id": after[1]}
    opened: dict[UUID, PatientRow] = {}
    return [_listed(tx, row, opened) for row in await tx.all(query, params)]


def _values(wanted: DueFilter, today: date) -> dict[str, Any]:
    given = {name: value for name in _BY_VALUE if (value := getattr(wanted, name)) is not None}
    return {"today": today, "horizon": today + LONGEST_OPEN} | given


# The same list is asked for again and again: its statement is made once for a filter and the caller's centres.
@lru_cache(maxsize=512)
def _page(
    wanted: DueFilter, centres: Sequence[str], own: frozenset[str] | None, goes_on: bool, last_day: bool
) -> Executable | None:
    parts = []
    for branch in _branches(wanted, centres, own, (*_OWN, *_looked_up(), *_PATIENT)):
        parts.append(_with_window(branch, goes_on).limit(_MOST))
        if not set(wanted.state) <= set(ON_DAY):
            parts.append(_without_window(branch, last_day).limit(_MOST))
    if len(parts) < 2:
        return parts[0] if parts else None
    merged = union_all(*[select(part.subquery()) for part in parts])
    return merged.order_by(literal_column("window_end").nulls_last(), literal_column("id")).limit(_MOST)


def _with_window(query: Select[Any], goes_on: bool) -> Select[Any]:
    order = (visits.c.window_end, visits.c.id)
    query = query.where(visits.c.window_end.is_not(None)).order_by(*order)
    if not goes_on:
        return query
    return query.where(visits.c.window_end >= _AFTER_END, tuple_(*order) > tuple_(_AFTER_END, _AFTER_ID))


def _without_window(query: Select[Any], last_day: bool) -> Select[Any]:
    """What people closed and no plan has any more stands behind all else: as if its window ended on the last day there
    is."""
    query = query.where(visits.c.window_end.is_(None)).order_by(visits.c.id)
    return query.where(visits.c.id > _AFTER_ID) if last_day else query


def _looked_up() -> tuple[ColumnElement[bool], ...]:
    """Whether there are contacts with the patient; whether the window before this one in the plan had lapsed: missed or
    overdue, not done (what was missed before registration counts as neither); and whether the visit was closed too
    early and that is not confirmed."""
    before = visits.alias()
    lapsed = or_(
        before.c.outcome.is_(None),
        and_(before.c.outcome == Outcome.MISSED.value, before.c.reason != BEFORE_REGISTRATION),
    )
    done = before.c.outcome == Outcome.COMPLETED.value
    last = (
        select(before.c.outcome.is_distinct_from(Outcome.COMPLETED.value)).order_by(before.c.window_end.desc()).limit(1)
    )
    last = last.where(
        before.c.plan_id == visits.c.plan_id, before.c.window_end < visits.c.window_end, or_(lapsed, done)
    )
    had_contact = lookup.found(
        contacts, contacts.c.patient_id == visits.c.patient_id, contacts.c.taken_back_at.is_(None)
    )
    return (
        had_contact.label("had_contact"),
        last.scalar_subquery().label("after_a_lapse"),
        _DECISIONS[DECIDED_BEFORE_WINDOW].label("needs_confirmation"),
    )


async def count(tx: Transaction, wanted: DueFilter, centres: Sequence[str], today: date) -> int:
    """How many visits the whole list has."""
    branches = _branches(wanted, centres, tx.actor.centres, (func.count().label("n"),))
    return sum([await tx.scalar(branch, _values(wanted, today)) for branch in branches])


def _listed(tx: Transaction, row: AnyRow, opened: dict[UUID, PatientRow]) -> ListedVisit:
    """A row of the list; `opened` holds the patients of the rows before it, so that each is opened once."""
    values, person = list(row[:_PERSON]), row[_PERSON]
    if values[_OUTCOME] is not None:
        values[_OUTCOME] = Outcome(values[_OUTCOME])
    if person not in opened:
        opened[person] = to_patient(tx, row[_PERSON:])
    return ListedVisit._make([*values, opened[person]])


async def patient_of(tx: Transaction, visit: UUID) -> UUID | None:
    """Whose visit it is, if the caller may see it."""
    found: UUID | None = await tx.scalar(cut(select(visits.c.patient_id), tx, visits).where(visits.c.id == visit))
    return found
