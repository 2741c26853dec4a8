"""Who acted is told by an id: what was written before there were ids gets them where the name leaves no doubt."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, MetaData, Table, select
from sqlalchemy import text as _text

from app.actor import Actor, Role
from app.clock import Clock
from app.db import tables
from app.db.columns import new_id
from app.db.engine import Database, opened_for_migration
from app.db.migrate import migrate, step_to
from app.db.service_tables import accounts, tokens
from app.db.transaction import begin
from tests.databases import Kind
from tests.db.rows import a_patient

AT = datetime(2026, 3, 4, 8, tzinfo=UTC)
KARIN = UUID("01890000-0000-7000-8000-000000000001")
TOKENS = {"t1": "cosmic-lund", "t2": "ward computer", "t3": "ward computer", "t4": "karin.n2", "t5": "worker"}
# What an earlier version wrote, and the id that it must have come from; None where several bore the name, or nobody
# does.
WRITTEN = {
    "cosmic-lund": "t1",
    "karin.n": str(KARIN),
    "ward computer": None,
    "karin.n2": None,
    "worker": None,
    "forgotten": None,
    "operator:root": "operator:root",
    "demo-nurse-lund": "demo-nurse-lund",
}


@pytest.fixture
def empty_url(database_kind: Kind, make_database: Callable[..., str]) -> str:
    return make_database(database_kind, empty=True)


def _fill(connection: Connection) -> None:
    """Rows as the schema before the ids took them: two tokens of one name, and an account of a token's name."""
    old = MetaData()
    old.reflect(connection)
    instant: Any = AT if connection.dialect.name == "postgresql" else "2026-03-04T08:00:00.000Z"

    def add(table: str, row: Mapping[str, Any]) -> None:
        connection.execute(Table(table, old).insert().values(**row))

    for token, name in TOKENS.items():
        add(
            "tokens",
            {
                "id": token,
                "name": name,
                "secret_hash": token,
                "role": "nurse",
                "centres": "lund",
                "scopes": "",
                "created_at": instant,
            },
        )
    for account, name in ((KARIN, "karin.n"), (new_id(), "karin.n2")):
        stored: Any = account if connection.dialect.name == "postgresql" else account.hex
        known = {"id": stored, "username": name, "name": "Karin N", "role": "nurse", "centres": "lund"}
        add("accounts", known | {"password_hash": "-", "language": "sv", "single_keys": True, "created_at": instant})
    for name in WRITTEN:
        row: Any = new_id() if connection.dialect.name == "postgresql" else new_id().hex
        who = {"actor": name, "role": "nurse", "unit": "lund"}
        add(
            "history",
            {"id": row, "at": instant, **who, "kind": "visit", "object_id": "-", "act": "booked", "sealed": b"-"},
        )
        add("access_log", {"id": row, "at": instant, **who, "what": "patient", "request_id": "-", "patients": ""})
        add(
            "imports",
            {
                "id": row,
                "owner": name,
                "state": "finished",
                "dry_run": False,
                "rows": 0,
                "report": "{}",
                "started_at": instant,
            },
        )


async def _written(url: str, query: Any) -> dict[str, Any]:
    async with opened_for_migration(url) as connection:
        return {row[0]: row[1] for row in await connection.execute(query)}


async def test_what_was_written_under_a_name_gets_the_id_of_its_only_bearer(empty_url: str) -> None:
    async with opened_for_migration(empty_url) as connection:
        await connection.run_sync(step_to, "0003")
        await connection.run_sync(_fill)
        before = {row[0]: row[1] for row in await connection.execute(_text("SELECT id, owner FROM imports"))}
    await migrate(empty_url)
    for log in (tables.history, tables.access_log):
        assert await _written(empty_url, select(log.c.actor, log.c.actor_id)) == WRITTEN
    owners = await _written(empty_url, _text("SELECT id, owner FROM imports"))
    assert {before[number]: owner or None for number, owner in owners.items()} == WRITTEN


async def test_two_tokens_and_two_accounts_of_one_name_outlive_the_day_on_which_names_are_borne_once(
    empty_url: str,
) -> None:
    async with opened_for_migration(empty_url) as connection:
        await connection.run_sync(step_to, "0007")
        await connection.run_sync(_fill)
    await migrate(empty_url)
    names = await _written(empty_url, select(tokens.c.id, tokens.c.name))
    assert names == TOKENS | {"t3": "ward computer (t3)"}
    people = await _written(empty_url, select(accounts.c.username, accounts.c.name))
    assert people == {"karin.n": "Karin N", "karin.n2": "Karin N (karin.n2)"}
    ends = await _written(empty_url, select(tokens.c.id, tokens.c.expires_at))
    assert all(timedelta(364) < end - datetime.now(UTC) < timedelta(366) for end in ends.values())


async def test_both_logs_tell_two_of_one_name_apart(database: Database, clock: Clock) -> None:
    bearers = [Actor("ward computer", Role.NURSE, frozenset({"lund"}), id=number) for number in ("t2", "t3")]
    for bearer in bearers:
        async with begin(database, bearer, clock) as tx:
            patient = await a_patient(tx, "lund")
            tx.changed("patient", patient, "registered", None, {}, patient)
            tx.saw("patient", [patient])
    for log in (tables.history, tables.access_log):
        async with begin(database, bearers[0], clock, writing=False) as tx:
            assert [row.actor_id for row in await tx.all(select(log.c.actor_id).order_by(log.c.id))] == ["t2", "t3"]
