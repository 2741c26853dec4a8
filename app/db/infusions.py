"""Infusions: stored once, corrected by version, voided but never deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, bindparam, func, select, text, update

from app.db.scope import cut
from app.db.tables import infusions, plans, products
from app.db.transaction import AnyRow, Transaction
from app.planning.plan import PLANNED_AHEAD, months_later


@dataclass(frozen=True, slots=True)
class InfusionRow:
    """One infusion as stored, with the facts of its product that planning needs; `protocols` are those that the sender
    named."""

    id: UUID
    version: int
    patient_id: UUID
    centre: str
    product: str
    context: str
    infused_on: date
    discharged_on: date | None
    indication: str | None
    batch: str | None
    batch_expires_on: date | None
    in_specification: bool | None
    continues: UUID | None
    new_course: bool
    protocols: tuple[str, ...] | None
    source_system: str | None
    source_id: str | None
    child: bool
    infusion_number: int
    course_number: int
    reinfusion: bool
    registered_on: date
    registered_at: datetime
    voided: bool
    void_reason: str | None
    plan_class: str
    infusions_per_course: int
    course_days: int | None
    default_protocol: str | None


@dataclass(frozen=True, slots=True)
class InfusionFilter:
    """What a list of infusions is narrowed to; dates are local, both ends included."""

    patient: UUID | None = None
    centre: str | None = None
    product: str | None = None
    context: str | None = None
    infused_from: date | None = None
    infused_to: date | None = None
    source_system: str | None = None
    source_id: str | None = None


_OF_PRODUCT = products.c.plan_class, products.c.infusions_per_course, products.c.course_days, products.c.protocol
_OWN = [f.name for f in fields(InfusionRow)][: -len(_OF_PRODUCT)]
_COLUMNS = (*[infusions.c[name] for name in _OWN], *_OF_PRODUCT)
_REQUEST = select(
    infusions.c.id, infusions.c.version, infusions.c.patient_id, infusions.c.centre, infusions.c.request
).where(
    # A voided infusion has given its natural key free; said as in the partial index, so that it serves.
    infusions.c.source_system == bindparam("system"),
    infusions.c.source_id == bindparam("number"),
    text("NOT infusions.voided"),
)


def _select() -> Select[Any]:
    return select(*_COLUMNS).join(products, products.c.code == infusions.c.product)


def _row(row: AnyRow) -> InfusionRow:
    values = list(row)
    named = _OWN.index("protocols")
    values[named] = None if values[named] is None else tuple(orjson.loads(values[named]))
    return InfusionRow(*values)


def _values(infusion: InfusionRow) -> dict[str, Any]:
    values = {name: getattr(infusion, name) for name in _OWN}
    values["protocols"] = None if infusion.protocols is None else orjson.dumps(infusion.protocols).decode()
    return values


async def get(tx: Transaction, infusion: UUID) -> InfusionRow | None:
    """The infusion, if the caller may see it."""
    row = await tx.first(cut(_select(), tx, infusions).where(infusions.c.id == infusion))
    return None if row is None else _row(row)


async def of_patient(tx: Transaction, patient: UUID) -> list[InfusionRow]:
    """All infusions of a patient, voided ones too, by date. Not cut: planning needs them all; what is shown is cut by
    those who ask."""
    query = _select().where(infusions.c.patient_id == patient).order_by(infusions.c.infused_on, infusions.c.id)
    return [_row(row) for row in await tx.all(query)]


async def request_of(tx: Transaction, system: str, number: str) -> tuple[UUID, int, UUID, str, dict[str, Any]] | None:
    """Id, version, patient, centre and the normalised request of the infusion, not voided, that a sender knows by this
    id. Not cut: the natural key is unique in the service; the caller's centre is compared before anything is
    answered."""
    row = await tx.first(_REQUEST, {"system": system, "number": number})
    return None if row is None else (*row[:4], tx.keys.open(row[4], f"infusion:{row[0]}"))


def _narrowed(query: Select[Any], tx: Transaction, wanted: InfusionFilter) -> Select[Any]:
    query = cut(query, tx, infusions)
    for name in ("patient", "centre", "product", "context", "source_system", "source_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(infusions.c["patient_id" if name == "patient" else name] == value)
    if wanted.infused_from is not None:
        query = query.where(infusions.c.infused_on >= wanted.infused_from)
    if wanted.infused_to is not None:
        query = query.where(infusions.c.infused_on <= wanted.infused_to)
    return query


async def page(tx: Transaction, wanted: InfusionFilter, after: UUID | None, limit: int) -> list[InfusionRow]:
    """At most `limit` infusions that the caller may see, in the order of their ids, after the given one."""
    query = _narrowed(_select(), tx, wanted)
    if after is not None:
        query = query.where(infusions.c.id > after)
    return [_row(row) for row in await tx.all(query.order_by(infusions.c.id).limit(limit))]


async def count(tx: Transaction, wanted: InfusionFilter) -> int:
    """How many infusions the whole list has."""
    counted: int = await tx.scalar(_narrowed(select(func.count()).select_from(infusions), tx, wanted))
    return counted


async def to_extend(tx: Transaction, today: date, limit: int) -> list[UUID]:
    """Patients with a plan without end whose last planned visit lies within five years from the local day, at most
    `limit`, in the order in which their locks are taken."""
    near = months_later(today, 12 * (PLANNED_AHEAD - 1))
    query = cut(select(plans.c.patient_id), tx, plans).where(
        plans.c.endless, plans.c.state == "active", plans.c.ends_on < near
    )
    return [row[0] for row in await tx.all(query.distinct().order_by(plans.c.patient_id).limit(limit))]


async def add(tx: Transaction, infusion: InfusionRow, request: dict[str, Any] | None) -> None:
    """Stores a new infusion with the normalised request that a repeated one is compared with."""
    sealed = None if request is None else tx.keys.seal(request, f"infusion:{infusion.id}")
    tx.add(infusions, [_values(infusion) | {"request": sealed, "changed_at": tx.now}])


async def remember(tx: Transaction, infusion: UUID, request: dict[str, Any]) -> None:
    """Replaces the normalised request after the same source filled in what it had left open."""
    await tx.run(
        update(infusions)
        .where(infusions.c.id == infusion)
        .values(request=tx.keys.seal(request, f"infusion:{infusion}"))
    )


async def change(tx: Transaction, changed: Sequence[InfusionRow]) -> None:
    """Writes infusions as given, each with its version raised by one."""
    for infusion in changed:
        values = _values(infusion) | {"version": infusion.version + 1, "changed_at": tx.now}
        await tx.run(
            update(infusions)
            .where(infusions.c.id == infusion.id, infusions.c.version == infusion.version)
            .values(**values)
        )
