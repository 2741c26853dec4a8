"""Contacts with patients: attempts to reach them, and postponements. One that was taken back stays, and counts for
nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, update

from app.db.scope import cut
from app.db.tables import contacts
from app.db.transaction import AnyRow, Transaction
from app.planning.facts import Contact


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One contact or postponement. `contacted_on`, `remind_on` and `recorded_on` are local days; without a visit it
    concerns the patient as such."""

    id: UUID
    visit_id: UUID | None
    patient_id: UUID
    channel: str | None
    outcome: str | None
    contacted_on: date
    remind_on: date | None
    note: str | None
    source_system: str | None
    source_id: str | None
    recorded_on: date
    recorded_at: datetime
    recorded_by: str
    recorded_by_id: str | None  # None: recorded before names were unique, by a name that several bear
    taken_back_at: datetime | None = None


_COLUMNS = tuple(contacts.c[name] for name in ContactRow.__slots__)
_STANDS = contacts.c.taken_back_at.is_(None)
_IN_ORDER = contacts.c.recorded_at, contacts.c.id


def _row(tx: Transaction, row: AnyRow) -> ContactRow:
    note = None if row.note is None else tx.keys.open(row.note, f"contact:{row.id}")
    return ContactRow(**{**row._mapping, "note": note})


async def get(tx: Transaction, contact: UUID) -> ContactRow | None:
    """The contact, taken back or not, if the caller may see it."""
    row = await tx.first(cut(select(*_COLUMNS), tx, contacts).where(contacts.c.id == contact))
    return None if row is None else _row(tx, row)


async def of_patient(tx: Transaction, patient: UUID) -> list[ContactRow]:
    """The contacts with a patient that stand, in the order of recording. Not cut: an answer that another centre had
    decides here too; what is shown is cut by those who ask."""
    return [
        _row(tx, row)
        for row in await tx.all(select(*_COLUMNS).where(contacts.c.patient_id == patient, _STANDS).order_by(*_IN_ORDER))
    ]


@dataclass(frozen=True, slots=True)
class Contacted:
    """The contacts with a patient: all, oldest first, and the latest about each visit (under None: without a visit)."""

    contacts: list[Contact]
    latest: dict[UUID | None, ContactRow]

    def last_about(self, visit: UUID | None) -> ContactRow | None:
        """The latest contact about a visit, or with the patient as such."""
        found = [row for about in {visit, None} if (row := self.latest.get(about)) is not None]
        return max(found, key=lambda row: (row.recorded_at, row.id), default=None)


async def with_patients(tx: Transaction, patients: Sequence[UUID]) -> dict[UUID, Contacted]:
    """The contacts with these patients that stand, of those whom the caller may see. Only the notes that are shown are
    opened."""
    if not patients:
        return {}
    query = cut(select(*_COLUMNS), tx, contacts).where(contacts.c.patient_id.in_(patients), _STANDS)
    found: dict[UUID, Contacted] = {}
    latest: dict[tuple[UUID, UUID | None], AnyRow] = {}
    for row in await tx.all(query.order_by(*_IN_ORDER)):
        of = found.setdefault(row.patient_id, Contacted([], {}))
        of.contacts.append(Contact(row.contacted_on, row.recorded_at, row.channel, row.outcome))
        latest[row.patient_id, row.visit_id] = row
    for (patient, visit), row in latest.items():
        found[patient].latest[visit] = _row(tx, row)
    return found


async def by_source(tx: Transaction, system: str, number: str) -> ContactRow | None:
    """The contact that a sender knows by its own id. Not cut: the id is unique in the service; whose it is, is compared
    before anything is answered."""
    row = await tx.first(select(*_COLUMNS).where(contacts.c.source_system == system, contacts.c.source_id == number))
    return None if row is None else _row(tx, row)


async def add(tx: Transaction, contact: ContactRow) -> None:
    """Stores a contact."""
    values = {name: getattr(contact, name) for name in ContactRow.__slots__}
    values["note"] = None if contact.note is None else tx.keys.seal(contact.note, f"contact:{contact.id}")
    tx.add(contacts, [values])


async def take_back(tx: Transaction, contact: UUID) -> None:
    """Marks a contact as taken back."""
    await tx.run(update(contacts).where(contacts.c.id == contact).values(taken_back_at=tx.now))
