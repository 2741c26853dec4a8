"""Persons whom another centre follows: what a caller is told of them who does not see them, or not all of them
(contract 3, rule 11)."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from app.db import decisions as db_decisions
from app.db import patients as db_patients
from app.db.transaction import Transaction
from app.errors import Conflict
from app.followup import visibility
from app.followup.chart import Chart


class KnownElsewhere(Conflict):
    """This does not fit what another centre has recorded; the two centres have to speak to each other."""

    code = "known_elsewhere"


async def refused(tx: Transaction, patients: Collection[UUID], centre: str | None, seen: Conflict) -> Conflict:
    """The refusal `seen` where the caller sees all of these patients, else one that tells nothing: no day, no event, no
    id. An infusion of `centre` that is refused so is then the responsible centre's to decide on."""
    if len(await db_patients.seen_of(tx, patients)) == len(patients):
        return seen
    return _refusal(tx, patients, centre)


@contextmanager
def closed(tx: Transaction, before: Chart | None, centre: str | None = None) -> Iterator[None]:
    """What is refused inside is answered without its reason to a caller who is not responsible for the patient."""
    try:
        yield
    except Conflict:
        if before is None or visibility.is_whole(tx.actor, before):
            raise
        raise _refusal(tx, [before.patient.id], centre) from None


def _refusal(tx: Transaction, patients: Collection[UUID], centre: str | None) -> KnownElsewhere:
    tx.concerns("infusion" if centre else "patient", patients)

    async def to_decide(own: Transaction) -> None:
        assert centre is not None, "asked for where there is one"
        for patient in sorted(patients):
            await db_decisions.add_refused(own, patient, centre)

    if centre is not None:
        tx.keep(to_decide)
    return KnownElsewhere()
