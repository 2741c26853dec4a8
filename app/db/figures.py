"""Counts for centres and the network: sets in, numbers out, no person. Voided infusions count nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    distinct,
    false,
    func,
    literal,
    null,
    or_,
    select,
)

from app import clock
from app.db.tables import infusions, patients, products, published_counts, visits
from app.db.transaction import AnyRow, Transaction
from app.planning.state import ON_DAY
from app.planning.visits import BEFORE_REGISTRATION, Outcome, VisitState, Window

_COMPLETED, _MISSED = Outcome.COMPLETED.value, Outcome.MISSED.value
# What people closed and its plan has no more is without a window, and counts in no figure (contract 3, rule 4).
_JUDGED = visits.c.window_end.is_not(None)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures on which local day: one centre's, or (None) the network's with each centre's."""

    centre: str | None
    as_of: date


async def _counted(tx: Transaction, query: Select[Any], scope: Scope, column: ColumnElement[Any]) -> Sequence[AnyRow]:
    """One centre's rows, or everybody's; a caller without any centre belongs to nobody's network."""
    if tx.actor.centres is not None and not tx.actor.centres:
        query = query.where(false())
    return await tx.all(query if scope.centre is None else query.where(column == scope.centre))


def _until(scope: Scope) -> ColumnElement[bool]:
    return and_(~infusions.c.voided, infusions.c.infused_on <= scope.as_of)


_INFUSED_AGAIN = distinct(case((infusions.c.reinfusion, infusions.c.patient_id)))


async def by_context(tx: Transaction, scope: Scope) -> Sequence[AnyRow]:
    """(centre, context, infusions, patients, reinfusions, first infused on, patients infused again) for each centre and
    context."""
    query = (
        select(
            infusions.c.centre,
            infusions.c.context,
            func.count(),
            func.count(distinct(infusions.c.patient_id)),
            func.count(case((infusions.c.reinfusion, 1))),
            func.min(infusions.c.infused_on),
            func.count(_INFUSED_AGAIN),
        )
        .where(_until(scope))
        .group_by(infusions.c.centre, infusions.c.context)
    )
    return await _counted(tx, query, scope, infusions.c.centre)


async def persons(tx: Transaction, scope: Scope, whole: bool) -> Sequence[AnyRow]:
    """(centre, patients, children, courses, patients infused again): for each centre, or for all together (`whole`,
    centre null). A person treated at two centres counts once in the whole. Children were under 18 at an infusion."""
    group = case((products.c.plan_class == "none", products.c.code), else_=products.c.plan_class)
    course = (
        cast(infusions.c.patient_id, String)
        + literal("/")
        + group
        + literal("/")
        + cast(infusions.c.course_number, String)
    )
    counted = (
        func.count(distinct(infusions.c.patient_id)),
        func.count(distinct(case((infusions.c.child, infusions.c.patient_id)))),
        func.count(distinct(course)),
        func.count(_INFUSED_AGAIN),
    )
    query = (
        select(null() if whole else infusions.c.centre, *counted)
        .join(products, products.c.code == infusions.c.product)
        .where(_until(scope))
    )
    return await _counted(tx, query if whole else query.group_by(infusions.c.centre), scope, infusions.c.centre)


def _done_by(day: date) -> ColumnElement[bool]:
    return and_(visits.c.outcome == _COMPLETED, visits.c.completed_on <= day)


def _missed_by(day: date) -> ColumnElement[bool]:
    """Missed by a person's word of that day or before; planning's own mark counts once the window has ended."""
    said = and_(visits.c.decided_by.is_not(None), visits.c.decided_at < clock.midnight_after(day))
    return and_(visits.c.outcome == _MISSED, or_(said, and_(visits.c.decided_by.is_(None), visits.c.window_end < day)))


def _open_on(day: date) -> ColumnElement[bool]:
    return or_(
        visits.c.outcome.is_(None),
        and_(visits.c.outcome == _COMPLETED, ~_done_by(day)),
        and_(visits.c.outcome == _MISSED, ~_missed_by(day)),
    )


async def visit_states(tx: Transaction, scope: Scope) -> Sequence[AnyRow]:
    """(centre, planned, due, overdue, completed, missed, not required, and the patients behind each of these) by each
    visit's centre."""
    window = Window(visits.c.window_start, visits.c.window_end)
    by_state = [
        func.count(case((and_(_open_on(scope.as_of), ON_DAY[s](window, scope.as_of)), 1))) for s in _OPEN_STATES
    ]
    counts = (
        *by_state,
        func.count(case((_done_by(scope.as_of), 1))),
        func.count(case((_missed_by(scope.as_of), 1))),
        func.count(case((visits.c.reason == "not-required", 1))),
    )
    query = select(visits.c.centre, *_named(counts)).join(infusions, infusions.c.id == visits.c.infusion_id)
    query = query.where(_until(scope), _JUDGED)
    return await _with_persons(tx, query.group_by(visits.c.centre, visits.c.patient_id), scope)


_OPEN_STATES = (VisitState.PLANNED, VisitState.DUE, VisitState.OVERDUE)


async def completeness(tx: Transaction, scope: Scope) -> Sequence[AnyRow]:
    """(centre, closed, done, on time, done at all, and the patients behind each of these) of care plans by the centre
    responsible on the window's end: windows that have closed before the day, without cancelled ones, those before
    registration, and open ones of patients followed elsewhere (domain.md 5)."""
    done = _done_by(scope.as_of)
    in_question = or_(
        visits.c.outcome == _COMPLETED,
        and_(
            visits.c.outcome == _MISSED, or_(visits.c.decided_by.is_not(None), visits.c.reason != BEFORE_REGISTRATION)
        ),
        and_(visits.c.outcome.is_(None), patients.c.status != "followed-elsewhere"),
    )
    closed = and_(visits.c.window_end < scope.as_of, in_question)
    in_window = and_(done, visits.c.completed_on >= visits.c.window_start, visits.c.completed_on <= visits.c.window_end)
    counts = (
        func.count(case((closed, 1))),
        func.count(case((and_(closed, done), 1))),
        func.count(case((in_window, 1))),
        func.count(case((done, 1))),
    )
    query = (
        select(visits.c.end_centre.label("centre"), *_named(counts))
        .join(infusions, infusions.c.id == visits.c.infusion_id)
        .join(patients, patients.c.id == visits.c.patient_id)
        .where(_until(scope), _JUDGED, visits.c.purpose == "care")
    )
    return await _with_persons(tx, query.group_by(visits.c.end_centre, visits.c.patient_id), scope)


def _named(counts: Sequence[ColumnElement[int]]) -> list[ColumnElement[int]]:
    return [count.label(f"n{number}") for number, count in enumerate(counts)]


async def _with_persons(tx: Transaction, by_person: Select[*tuple[Any, ...]], scope: Scope) -> Sequence[AnyRow]:
    """Counts by centre and person, added up by centre: the sums, and after them how many persons stand behind each."""
    one = by_person.subquery()
    counts = [column for column in one.c if column.key != "centre"]
    sums = [cast(func.sum(count), Integer) for count in counts]
    query = select(one.c.centre, *sums, *(func.count(case((count > 0, 1))) for count in counts)).group_by(one.c.centre)
    return await _counted(tx, query, scope, one.c.centre)


async def statuses(tx: Transaction, scope: Scope) -> Sequence[AnyRow]:
    """(centre, lost, followed elsewhere): patients by responsible centre, as known now."""
    query = select(
        patients.c.responsible_centre,
        func.count(case((patients.c.status == "lost", 1))),
        func.count(case((patients.c.status == "followed-elsewhere", 1))),
    ).group_by(patients.c.responsible_centre)
    return await _counted(tx, query, scope, patients.c.responsible_centre)


async def published(tx: Transaction, scope: Scope) -> Sequence[AnyRow]:
    """(centre, context, patients, reinfusions, counted on) as the network's published list counted them."""
    counted = published_counts.c
    query = select(counted.centre, counted.context, counted.patients, counted.reinfusions, counted.counted_on)
    return await _counted(tx, query, scope, counted.centre)
