"""Imports: their report, one row a row of the file, kept while they run and after. It holds field names and verdicts,
no persons."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from app.db.columns import new_id
from app.db.service_tables import import_items, imports
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one row of the file; `row` is its number there, the rest tells why it was rejected, or which
    infusion it became."""

    row: int
    verdict: str  # accepted | unchanged | rejected
    code: str | None = None
    field: str | None = None
    message: str | None = None
    infusion_id: UUID | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One import of a file of `total` rows; `seen_at` is when its process last gave a sign of life."""

    id: UUID
    owner: str
    state: str  # running | finished | interrupted
    dry_run: bool
    total: int
    started_at: datetime
    seen_at: datetime
    items: Sequence[Item]


_ITEM = [import_items.c[name] for name in Item.__slots__]


async def start(tx: Transaction, *, dry_run: bool, total: int) -> UUID:
    """Notes an import of the caller's as running; answers its id."""
    import_id = new_id()
    started = {"id": import_id, "owner": tx.actor.id, "state": "running", "dry_run": dry_run, "total": total}
    await tx.run(insert(imports), started | {"started_at": tx.now, "seen_at": tx.now})
    return import_id


async def note(tx: Transaction, import_id: UUID, items: Sequence[Item], state: str = "running") -> None:
    """Adds to the report of an import of the caller's what became of some rows; a sign of life too."""
    mine = update(imports).where(imports.c.id == import_id, imports.c.owner == tx.actor.id)
    if await tx.run(mine.values(state=state, seen_at=tx.now)):
        rows = [asdict(item) | {"import_id": import_id, "warnings": " ".join(item.warnings)} for item in items]
        await tx.run(insert(import_items), rows)


async def get(tx: Transaction, import_id: UUID) -> ImportRow | None:
    """The import, for the one who started it, with what is known of its rows in the order of the file."""
    row = await tx.first(select(imports).where(imports.c.id == import_id, imports.c.owner == tx.actor.id))
    if row is None:
        return None
    items = await tx.all(select(*_ITEM).where(import_items.c.import_id == import_id).order_by(import_items.c.row))
    report = [
        Item(i.row, i.verdict, i.code, i.field, i.message, i.infusion_id, tuple(i.warnings.split())) for i in items
    ]
    return ImportRow(row.id, row.owner, row.state, row.dry_run, row.total, row.started_at, row.seen_at, report)
