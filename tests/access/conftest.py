"""Accounts and sessions on each database, with a clock whose instant a test moves."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.access import accounts
from app.access.accounts import AccountChange, NewAccount
from app.access.sessions import Sessions
from app.access.tokens import Tokens
from app.actor import Actor, Role
from app.clock import Clock
from app.db import accounts as rows
from app.db.columns import Keys
from app.db.engine import Database
from app.db.service_tables import metadata
from app.db.transaction import begin
from tests.databases import Kind

OPERATOR = Actor("operator:test", Role.OPERATOR, None, id="operator:test")


class Later(Clock):
    """The one clock, as much later as a test says."""

    by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


class Door:
    """The sessions of one service, and a nurse of Lund who has an account."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, Later()
        self.sessions = Sessions(db, self.clock, Tokens(db, self.clock, demo=True))
        self.password = ""

    async def add(
        self,
        username: str = "karin.n",
        role: Role = Role.NURSE,
        centres: frozenset[str] | None = frozenset({"lund"}),
        name: str | None = None,
    ) -> str:
        name = name or ("Karin N" if username == "karin.n" else f"{username} at work")
        async with begin(self.db, OPERATOR, self.clock) as tx:
            return await accounts.add(tx, NewAccount(username, name, role, centres))

    async def nurse(self, username: str = "karin.n") -> Actor:
        """Who the account is, as its sessions say."""
        async with begin(self.db, OPERATOR, self.clock, writing=False) as tx:
            account = await rows.by_username(tx, username)
        assert account is not None
        return Actor(username, Role.NURSE, frozenset({"lund"}), unit="lund", id=str(account.id))

    async def disable(self, username: str) -> None:
        async with begin(self.db, OPERATOR, self.clock) as tx:
            await accounts.disable(tx, username)

    async def change(self, **wanted: Any) -> str | None:
        async with begin(self.db, OPERATOR, self.clock) as tx:
            return await accounts.change(tx, "karin.n", AccountChange(**wanted))

    async def log_in(self, password: str | None = None, username: str = "karin.n", address: str = "10.0.0.1") -> str:
        return await self.sessions.log_in(username, self.password if password is None else password, address)

    async def history(self) -> list[tuple[str, str]]:
        """What was changed: kind and act, in order."""
        table = metadata.tables["history"]
        async with self.db.read.connect() as connection:
            return [
                (row.kind, row.act)
                for row in await connection.execute(select(table.c.kind, table.c.act).order_by(table.c.id))
            ]

    async def everything_stored(self) -> str:
        """Every row of every table, what is sealed as it lies there."""
        async with self.db.read.connect() as connection:
            return "".join([str((await connection.execute(select(table))).all()) for table in metadata.tables.values()])


@pytest.fixture
async def door(database_kind: Kind, make_database: Callable[..., str]) -> AsyncIterator[Door]:
    db = Database(make_database(database_kind), Keys.fresh())
    made = Door(db)
    made.password = await made.add()
    yield made
    await db.close()
