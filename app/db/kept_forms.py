"""Forms that were sent when a session had run out: sealed, for their owner only, taken once. Not cut: they are cut to
their owner."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, insert, select

from app.db.columns import new_id
from app.db.service_tables import kept_forms
from app.db.transaction import Transaction

MOST: Final = 10  # of one owner


async def add(tx: Transaction, owner: str, path: str, fields: Mapping[str, list[str]]) -> UUID:
    """Stores a form and answers its id. Of one owner the newest MOST are kept."""
    form = new_id()
    row = {"id": form, "owner": owner, "path": path, "sealed": tx.keys.seal(fields, _about(form)), "created_at": tx.now}
    await tx.run(insert(kept_forms), row)
    own = kept_forms.c.owner == owner
    newest = (
        select(kept_forms.c.id).where(own).order_by(kept_forms.c.created_at.desc(), kept_forms.c.id.desc()).limit(MOST)
    )
    await tx.run(delete(kept_forms).where(own, kept_forms.c.id.not_in(newest)))
    return form


async def take(tx: Transaction, owner: str, form: UUID) -> tuple[str, dict[str, list[str]]] | None:
    """The address and the fields of a form, which is removed by it; None when there is none of this owner."""
    own = delete(kept_forms).where(kept_forms.c.id == form, kept_forms.c.owner == owner)
    row = await tx.first(own.returning(kept_forms.c.path, kept_forms.c.sealed))
    return None if row is None else (row.path, tx.keys.open(row.sealed, _about(form)))


async def forget(tx: Transaction, before: datetime) -> None:
    """Removes what was kept before that instant (UTC)."""
    await tx.run(delete(kept_forms).where(kept_forms.c.created_at < before))


def _about(form: UUID) -> str:
    return f"kept_form:{form}"
