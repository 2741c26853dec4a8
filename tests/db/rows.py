"""Rows as the tables take them, with all that a test does not care about filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from app.actor import Actor, Role
from app.clock import Clock
from app.db import tables
from app.db.columns import new_id
from app.db.engine import Database
from app.db.transaction import AlertEvent, Transaction, begin

DAY = date(2026, 11, 23)
ANY_DAY = date(2025, 3, 4)
PERSON = {
    "name": "Test Testsson",
    "birth_date": "1981-12-28",
    "phone": "+46701740605",
    "identifiers": [{"system": "personnummer", "value": "198112289874", "from": None}],
    "contact_persons": [],
    "preferred_channel": None,
}


class StillClock(Clock):
    """A clock that stands."""

    def __init__(self, instant: datetime) -> None:
        super().__init__(fixed=instant.date())
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Chart:
    patient: UUID
    infusion: UUID
    plan: UUID
    visits: Mapping[str, UUID]


def nurse(*centres: str) -> Actor:
    who = f"nurse of {' '.join(centres) or 'nowhere'}"
    return Actor(who, Role.NURSE, frozenset(centres), unit=" ".join(centres), id=f"id of the {who}")


async def a_patient(tx: Transaction, centre: str, *, status: str = "in-follow-up", number: str | None = None) -> UUID:
    patient = new_id()
    row = {
        "id": patient,
        "version": 1,
        "sealed": tx.keys.seal(PERSON, f"patient:{patient}"),
        "key_id": tx.keys.current,
        "protected": False,
        "status": status,
        "responsible_centre": centre,
        "registered_at": tx.now,
        "changed_at": tx.now,
    }
    await tx.run(insert(tables.patients), row)
    if number:
        blind = {"blind": tx.keys.blind("personnummer", number), "patient_id": patient, "system": "personnummer"}
        await tx.run(insert(tables.patient_identifiers), blind)
    return patient


async def an_infusion(tx: Transaction, patient: UUID, centre: str, **told: Any) -> UUID:
    infusion = new_id()
    row = {
        "id": infusion,
        "version": 1,
        "patient_id": patient,
        "centre": centre,
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": ANY_DAY,
        "new_course": False,
        "request": tx.keys.seal({}, f"infusion:{infusion}"),
        "child": False,
        "infusion_number": 1,
        "course_number": 1,
        "reinfusion": False,
        "registered_on": ANY_DAY,
        "registered_at": tx.now,
        "voided": False,
        "changed_at": tx.now,
        **told,
    }
    await tx.run(insert(tables.infusions), row)
    return infusion


async def a_plan(tx: Transaction, patient: UUID, infusion: UUID, centre: str, **told: Any) -> UUID:
    plan = new_id()
    row = {
        "id": plan,
        "version": 1,
        "patient_id": patient,
        "infusion_id": infusion,
        "treating_centre": centre,
        "protocol_code": "ltfu-15y",
        "protocol_version": 1,
        "purpose": "care",
        "plan_class": "gene-modified-cells",
        "consent": "not-needed",
        "state": "active",
        "endless": False,
        "changed_at": tx.now,
        **told,
    }
    await tx.run(insert(tables.plans), row)
    return plan


def a_visit(
    tx: Transaction, code: str, window_end: date, *, centre: str, treated_at: str, **told: Any
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "version": 1,
        "protocol_code": "ltfu-15y",
        "protocol_version": 1,
        "purpose": "care",
        "centre": centre,
        "treating_centre": treated_at,
        "end_centre": centre,
        "code": code,
        "anchor": "infusion",
        "provisional": False,
        "target_on": window_end,
        "window_start": window_end,
        "window_end": window_end,
        "alert_after": window_end,
        "changed_at": tx.now,
        **told,
    }


async def a_chart(
    tx: Transaction,
    centre: str = "lund",
    *,
    treated_at: str | None = None,
    status: str = "in-follow-up",
    number: str | None = None,
    ends: Mapping[str, date] | None = None,
    endless: bool = False,
) -> Chart:
    """A patient of a centre with one infusion (given there, or at `treated_at`), one plan, and a visit for each code
    and window end."""
    treated_at = treated_at or centre
    patient = await a_patient(tx, centre, status=status, number=number)
    infusion = await an_infusion(tx, patient, treated_at)
    plan = await a_plan(tx, patient, infusion, treated_at, endless=endless, ends_on=DAY if endless else None)
    visits = [a_visit(tx, code, end, centre=centre, treated_at=treated_at) for code, end in (ends or {}).items()]
    await tx.run(
        insert(tables.visits),
        [{**visit, "patient_id": patient, "infusion_id": infusion, "plan_id": plan} for visit in visits],
    )
    return Chart(patient, infusion, plan, {visit["code"]: visit["id"] for visit in visits})


def an_event(kind: str = "visit.overdue", centre: str = "lund") -> AlertEvent:
    return AlertEvent(kind, new_id(), new_id(), new_id(), centre, "Y01", DAY, "open")


def numbers(events: Sequence[Any]) -> list[int]:
    return [event.seq for event in events]


async def counted(database: Database, actor: Actor, table: Any) -> int:
    async with begin(database, actor, Clock(), writing=False) as tx:
        return int(await tx.scalar(select(func.count()).select_from(table)))
