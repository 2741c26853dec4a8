"""Patients who need a decision (contract 3, rule 17), found by what is stored of them; and infusions of another centre
that were refused."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Select, and_, func, literal_column, select, tuple_, union_all, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db import lookup
from app.db.columns import new_id
from app.db.patients import PATIENT, PatientRow, opened
from app.db.tables import patients, plans, refused_infusions
from app.db.transaction import AnyRow, Transaction
from app.planning.decisions import Undecided, heard_before
from app.planning.protocol import Purpose


@dataclass(frozen=True, slots=True)
class UndecidedFilter:
    """For which reasons, in which centre (None: all of the caller's), and whether of one patient only."""

    reasons: tuple[Undecided, ...] = tuple(Undecided)
    centre: str | None = None
    patient: UUID | None = None


@dataclass(frozen=True, slots=True)
class UndecidedPatient:
    """A patient of the list; `refused_on` is the local day of the first refused infusion that stands."""

    patient: PatientRow
    refused_on: date | None
    follow_up_until: date | None


_ORDER = (patients.c.last_heard_on, patients.c.id)
_REFUSED = and_(refused_infusions.c.patient_id == patients.c.id, refused_infusions.c.ended_at.is_(None))
_REFUSED_ON = select(func.min(refused_infusions.c.refused_on)).where(_REFUSED).scalar_subquery().label("refused_on")
_UNTIL = select(func.max(plans.c.ends_on)).where(
    plans.c.patient_id == patients.c.id, plans.c.purpose == Purpose.CARE.value
)


def _branches(
    wanted: UndecidedFilter, centres: Collection[str], today: date, columns: Sequence[ColumnElement[Any]]
) -> list[Select[Any]]:
    """One index range for each centre and kind of reason; a patient stands in one of them, for the first reason that
    holds."""
    others = ~lookup.found(refused_infusions, _REFUSED)
    stored = [
        reason.value for reason in wanted.reasons if reason not in (Undecided.INFUSION_REFUSED, Undecided.NO_CONTACT)
    ]
    own = patients.c.responsible_centre
    ranges: list[Callable[[str], ColumnElement[bool]]] = []
    if Undecided.INFUSION_REFUSED in wanted.reasons:
        few = patients.c.id.in_(select(refused_infusions.c.patient_id).where(refused_infusions.c.ended_at.is_(None)))
        # SQLite would walk all patients of the centre for these few, so its index is hidden from it.
        ranges.append(lambda centre: and_(few, func.coalesce(own, "") == centre))
    if stored:
        ranges.append(
            lambda centre: and_(
                own == centre, patients.c.undecided.is_not(None), patients.c.undecided.in_(stored), others
            )
        )
    if Undecided.NO_CONTACT in wanted.reasons:
        silent = and_(patients.c.quiet_until > today, patients.c.last_heard_on < heard_before(today), others)
        ranges.append(lambda centre: and_(own == centre, silent))
    base = select(*columns) if wanted.patient is None else select(*columns).where(patients.c.id == wanted.patient)
    return [base.where(held(centre)) for centre in sorted(centres) for held in ranges]


async def page(
    tx: Transaction,
    wanted: UndecidedFilter,
    centres: Collection[str],
    today: date,
    after: tuple[date, UUID] | None,
    limit: int,
) -> list[UndecidedPatient]:
    """At most `limit` patients for whom these centres (of the caller's own) are responsible, the longest silence first,
    after the given place."""
    query = _page(
        wanted, [c for c in centres if tx.actor.centres is None or c in tx.actor.centres], today, after, limit
    )
    return [] if query is None else [_row(tx, row) for row in await tx.all(query)]


def _page(
    wanted: UndecidedFilter, centres: Collection[str], today: date, after: tuple[date, UUID] | None, limit: int
) -> Executable | None:
    parts = []
    for branch in _branches(
        wanted, centres, today, (*PATIENT, _REFUSED_ON, _UNTIL.scalar_subquery().label("follow_up_until"))
    ):
        if after is not None:
            branch = branch.where(
                patients.c.last_heard_on >= after[0], tuple_(*_ORDER) > tuple_(*after, types=[c.type for c in _ORDER])
            )
        parts.append(branch.order_by(*_ORDER).limit(limit))
    if len(parts) < 2:
        return parts[0] if parts else None
    merged = union_all(*[select(part.subquery()) for part in parts])
    return merged.order_by(literal_column("last_heard_on"), literal_column("id")).limit(limit)


def _row(tx: Transaction, row: AnyRow) -> UndecidedPatient:
    return UndecidedPatient(opened(tx, row[:-2]), row.refused_on, row.follow_up_until)


async def count(tx: Transaction, wanted: UndecidedFilter, centres: Collection[str], today: date) -> int:
    """How many patients the whole list has."""
    own = [c for c in centres if tx.actor.centres is None or c in tx.actor.centres]
    return sum([await tx.scalar(branch) for branch in _branches(wanted, own, today, (func.count().label("n"),))])


# ---- refused infusions ----


async def add_refused(tx: Transaction, patient: UUID, centre: str) -> None:
    """Notes that an infusion of `centre` was refused, for the responsible centre to decide on; one that stands already
    stays as it is. Who and when are the caller's; nothing of what was sent is kept."""
    row = {
        "id": new_id(),
        "patient_id": patient,
        "centre": centre,
        "refused_on": tx.today,
        "recorded_at": tx.now,
        "recorded_by": tx.actor.name,
        "recorded_by_id": tx.actor.id,
    }
    statement = (postgresql if tx.db.dialect == "postgresql" else sqlite).insert(refused_infusions).values(row)
    stands = refused_infusions.c.ended_at.is_(None)
    await tx.run(statement.on_conflict_do_nothing(index_elements=["patient_id", "centre"], index_where=stands))


async def end_refused(tx: Transaction, patient: UUID, centre: str | None = None) -> None:
    """Ends the refusals that stand of a patient, or those of one centre's infusions: what they collided with was
    mended."""
    standing = update(refused_infusions).where(
        refused_infusions.c.patient_id == patient, refused_infusions.c.ended_at.is_(None)
    )
    await tx.run(
        (standing if centre is None else standing.where(refused_infusions.c.centre == centre)).values(ended_at=tx.now)
    )
