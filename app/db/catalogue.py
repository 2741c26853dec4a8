"""Centres, products and protocols. Their codes are public: nothing here is cut to a caller's centres."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select

from app.db import tables
from app.db.transaction import Transaction
from app.planning import protocol
from app.planning.protocol import Protocol


async def centres(tx: Transaction) -> Sequence[dict[str, Any]]:
    """Every centre by code, with the contract's field names."""
    return await _rows(tx, tables.centres)


async def centre_codes(tx: Transaction) -> frozenset[str]:
    """The codes of all centres."""
    return frozenset(row.code for row in await tx.all(select(tables.centres.c.code)))


async def counts(tx: Transaction) -> Sequence[dict[str, Any]]:
    """What the network's published list counted for each centre and context."""
    return await _rows(tx, tables.published_counts)


async def products(tx: Transaction) -> Sequence[dict[str, Any]]:
    """Every product by code, with the contract's field names."""
    return await _rows(tx, tables.products)


async def protocols(tx: Transaction) -> Mapping[str, Protocol]:
    """The newest version of each protocol under its code, and every version under `code@version`."""
    stored = tables.protocols.c
    versions = (await tx.all(select(stored.code, stored.version).order_by(stored.version))) or ()
    known = tx.db.protocols
    if any((row.code, row.version) not in known for row in versions):
        for row in await tx.all(select(stored.code, stored.version, stored.body)):
            known[row.code, row.version] = protocol.parse(row.body)
    every = {f"{code}@{version}": known[code, version] for code, version in versions}
    return {**{code: known[code, version] for code, version in versions}, **every}


async def add(tx: Transaction, rows: Sequence[Mapping[str, Any]], table: str) -> int:
    """Adds those rows of `centres`, `published_counts` or `products` (keys as `db.seed` gives them) that are missing; answers how many."""
    target = _LOADABLE[table]
    key = list(target.primary_key)
    there = {tuple(row) for row in await tx.all(select(*key))}
    missing = [dict(row) for row in rows if tuple(row[column.key] for column in key) not in there]
    return await tx.run(target.insert(), missing)


_LOADABLE: Mapping[str, Table] = {table.name: table for table in (tables.centres, tables.published_counts, tables.products)}


async def _rows(tx: Transaction, table: Table) -> Sequence[dict[str, Any]]:
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in await tx.all(select(table).order_by(*table.primary_key))]
