"""The first wall: every query on a patient's rows is cut to the caller's centres here (contract 3, rule 11).

The responsible centre sees all of a patient; a centre that gave an infusion sees its own infusions and the plans that
they anchor, and a voided infusion opens nothing any more; alerts and events belong to the centre they name. In each
rule the row's own columns are looked at first.
"""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import Alias, ColumnElement, FromClause, Select, TableClause, and_, false, or_, true

from app.db import lookup, tables
from app.db.transaction import Transaction

AnySelect = TypeVar("AnySelect", bound=Select[*tuple[Any, ...]])
Centres = Collection[str]


def cut(statement: AnySelect, tx: Transaction, table: FromClause) -> AnySelect:
    """The statement with only those rows of `table` (a table or an alias of it) that the caller's centres may see.

    An actor of every centre (`centres` None) sees all, one without a centre nothing. Raises KeyError for a table
    without a rule.
    """
    return statement if tx.actor.centres is None else statement.where(seen(tx, table))


def seen(tx: Transaction, table: FromClause) -> ColumnElement[bool]:
    """The condition of `cut`, for statements that are not a plain select."""
    return seen_by(tx.actor.centres, table)


@lru_cache(maxsize=1024)
def seen_by(centres: frozenset[str] | None, table: FromClause) -> ColumnElement[bool]:
    """The condition of `cut` for a caller of these centres. Made once for a table and the same centres: to make it anew
    was most of what a short question cost."""
    element = table.element if isinstance(table, Alias) else table
    rule = _RULES[element.name if isinstance(element, TableClause) else ""]
    if centres is None:
        return true()
    return rule(table, sorted(centres)) if centres else false()


def seen_patient(tx: Transaction, patient: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the caller's centres may see the patient with this id (a column, or a value as `literal`)."""
    centres = tx.actor.centres
    if centres is None:
        return true()
    return _patient(patient, sorted(centres)) if centres else false()


def _own(column: ColumnElement[str], centres: Centres) -> ColumnElement[bool]:
    """One centre by `=`: an index range; several by IN."""
    return column == next(iter(centres)) if len(centres) == 1 else column.in_(centres)


def _responsible(patient: ColumnElement[Any], centres: Centres) -> ColumnElement[bool]:
    owner = tables.patients.alias()
    return lookup.found(owner, owner.c.id == patient, _own(owner.c.responsible_centre, centres))


def _infused(patient: ColumnElement[Any], centres: Centres) -> ColumnElement[bool]:
    given = tables.infusions.alias()
    return lookup.found(given, given.c.patient_id == patient, _own(given.c.centre, centres), ~given.c.voided)


def _counts(infusion: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the infusion with this id is not voided."""
    given = tables.infusions.alias()
    return lookup.found(given, given.c.id == infusion, ~given.c.voided)


def _patient(patient: ColumnElement[Any], centres: Centres) -> ColumnElement[bool]:
    return or_(_responsible(patient, centres), _infused(patient, centres))


def _patients(table: FromClause, centres: Centres) -> ColumnElement[bool]:
    return or_(_own(table.c.responsible_centre, centres), _infused(table.c.id, centres))


def _infusions(table: FromClause, centres: Centres) -> ColumnElement[bool]:
    return or_(and_(_own(table.c.centre, centres), ~table.c.voided), _responsible(table.c.patient_id, centres))


def _plans(table: FromClause, centres: Centres) -> ColumnElement[bool]:
    return or_(
        and_(_own(table.c.treating_centre, centres), _counts(table.c.infusion_id)),
        _responsible(table.c.patient_id, centres),
    )


def _visits(table: FromClause, centres: Centres) -> ColumnElement[bool]:
    # A closed visit names in `centre` who was responsible then: that opens nothing once the patient has moved on.
    return _plans(table, centres)


def _of_patient(table: FromClause, centres: Centres) -> ColumnElement[bool]:
    return _patient(table.c.patient_id, centres)


def _by_centre(table: FromClause, centres: Centres) -> ColumnElement[bool]:
    return _own(table.c.centre, centres)


_RULES: Final[Mapping[str, Callable[[FromClause, Centres], ColumnElement[bool]]]] = {
    "patients": _patients,
    "patient_identifiers": _of_patient,
    "infusions": _infusions,
    "plans": _plans,
    "visits": _visits,
    "contacts": _of_patient,
    "patient_events": _of_patient,
    "history": _of_patient,
    "alerts": _by_centre,
    "events": _by_centre,
}
