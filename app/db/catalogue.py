"""Centres, products and protocols. Their codes are public: nothing here is cut to a caller's centres."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final

from sqlalchemy import Table, select

from app.db import tables
from app.db.transaction import Transaction
from app.planning import protocol
from app.planning.protocol import Protocol

KEPT_SECONDS: Final = 1.0
_VERSION = tables.protocols.c.code, tables.protocols.c.version, tables.protocols.c.loaded_at
_VERSIONS, _BODIES = select(*_VERSION).order_by(tables.protocols.c.version), select(*_VERSION, tables.protocols.c.body)


async def centres(tx: Transaction) -> Sequence[dict[str, Any]]:
    """Every centre by code, with the contract's field names."""
    return await _rows(tx, tables.centres)


async def centre_codes(tx: Transaction) -> frozenset[str]:
    """The codes of all centres."""
    return frozenset(row.code for row in await tx.all(select(tables.centres.c.code)))


async def centre(tx: Transaction, code: str) -> dict[str, Any] | None:
    """The centre with this code; what was changed by hand is seen a second later."""
    return await _lately(tx, tables.centres, code)


async def product(tx: Transaction, code: str) -> dict[str, Any] | None:
    """The product with this code; what was changed by hand is seen a second later."""
    return await _lately(tx, tables.products, code)


async def counts(tx: Transaction) -> Sequence[dict[str, Any]]:
    """What the network's published list counted for each centre and context."""
    return await _rows(tx, tables.published_counts)


async def products(tx: Transaction) -> Sequence[dict[str, Any]]:
    """Every product by code, with the contract's field names."""
    return await _rows(tx, tables.products)


async def protocols(tx: Transaction) -> Mapping[str, Protocol]:
    """The newest version of each protocol under its code, and every version under `code@version`."""
    versions = [tuple(row) for row in await tx.all(_VERSIONS)]
    parsed = tx.db.protocols
    if not parsed.keys() >= set(versions):
        for *version, body in await tx.all(_BODIES):
            if tuple(version) not in parsed:
                parsed[tuple(version)] = protocol.parse(body)
    newest = {version[0]: parsed[version] for version in versions}
    tx.db.versions = {f"{code}@{number}": parsed[code, number, loaded_at] for code, number, loaded_at in versions}
    return newest | tx.db.versions


async def add(tx: Transaction, rows: Sequence[Mapping[str, Any]], table: str) -> int:
    """Adds those rows of `centres`, `published_counts` or `products` (keys as `db.seed` gives them) that are missing;
    answers how many."""
    target = _LOADABLE[table]
    key = list(target.primary_key)
    there = {tuple(row) for row in await tx.all(select(*key))}
    missing = [dict(row) for row in rows if tuple(row[column.key] for column in key) not in there]
    return await tx.run(target.insert(), missing)


_LOADABLE: Mapping[str, Table] = {
    table.name: table for table in (tables.centres, tables.published_counts, tables.products)
}


async def _lately(tx: Transaction, table: Table, code: str) -> dict[str, Any] | None:
    """From what was read within the last second; a code that was not there then is looked for anew."""
    until, rows = tx.db.catalogue.get(table.name, (0.0, {}))
    if until < monotonic() or code not in rows:
        rows = {row["code"]: row for row in await _rows(tx, table)}
        tx.db.catalogue[table.name] = monotonic() + KEPT_SECONDS, rows
    return rows.get(code)


async def _rows(tx: Transaction, table: Table) -> Sequence[dict[str, Any]]:
    names = [f"{column.name}" for column in table.columns]  # SQLAlchemy's own kind of str is no key for orjson
    return [
        _serialized(dict(zip(names, row, strict=True)))
        for row in await tx.all(select(table).order_by(*table.primary_key))
    ]


def _serialized(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the catalogue with a product's two names under one field."""
    if "name_sv" in row:
        row["name"] = {"sv": row.pop("name_sv"), "en": row.pop("name_en")}
    return row
