"""What a caller may not see, or may not do: it looks as if it were not there, and the log of reads tells of whom it was
(HSLF-FS 2016:40)."""

from uuid import UUID

from app.db import access_log
from app.db.transaction import Transaction
from app.errors import NotFound


async def not_found(tx: Transaction, kind: str, object_id: UUID) -> NotFound:
    """The refusal for a patient, infusion, visit, alert or contact (`kind`) that the caller may not see or that does
    not exist."""
    await concern(tx, kind, object_id)
    return NotFound(f"There is no such {kind} among those that you may see.")


async def concern(tx: Transaction, kind: str, object_id: UUID) -> None:
    """Says that what follows is about the patient of this object, if there is such a one, so that its refusal is
    logged."""
    patient = await access_log.whose(tx, kind, object_id)
    if patient is not None:
        tx.concerns(kind, [patient])
