"""Tokens: each has a name of its own and an end, and tells when it was last used."""

from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import event

from app.access import tokens
from app.access.tokens import NOTED_EVERY, NewToken, Tokens
from app.actor import Actor, Role
from app.clock import ZONE
from app.db import feed
from app.db.columns import Keys
from app.db.engine import Database
from app.db.transaction import begin
from app.errors import Invalid, NotFound, Unauthenticated
from tests.access.conftest import OPERATOR, Door, Later
from tests.databases import Kind


class Desk:
    """Who manages tokens, and one process that lets their bearers in."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, Later()
        self.process = Tokens(db, self.clock, demo=False)

    async def add(self, name: str = "cosmic-lund", last_day: date | None = None) -> str:
        async with begin(self.db, OPERATOR, self.clock) as tx:
            return await tokens.add(tx, NewToken(name, Role.NURSE, frozenset({"lund"}), last_day=last_day))

    async def told(self) -> dict[str, object]:
        async with begin(self.db, OPERATOR, self.clock, writing=False) as tx:
            return (await tokens.every(tx))[0]

    async def actor(self, token: str) -> Actor:
        return (await self.process.actor(token, loopback=False))[1]

    async def moved_at(self) -> object:
        """The instant that every ETag hangs on."""
        async with begin(self.db, OPERATOR, self.clock, writing=False) as tx:
            return (await feed.head(tx)).last_at


@pytest.fixture
async def desk(database_kind: Kind, make_database: Callable[..., str]) -> AsyncIterator[Desk]:
    db = Database(make_database(database_kind), Keys.fresh())
    yield Desk(db)
    await db.close()


async def test_a_bearer_acts_under_the_tokens_id_beside_its_name(desk: Desk):
    token = await desk.add()
    actor = await desk.actor(token)
    assert (actor.id, actor.name) == (token.split("_")[1], "cosmic-lund")


# ---- names ----


@pytest.mark.parametrize(
    ("name", "code"),
    [("cosmic-lund", "taken"), (" cosmic-lund ", "taken"), ("karin.n", "taken"), ("Karin N", "taken"), ("",
     "bad_format"), ("a\nb", "bad_format"),
     ("n" * 201, "bad_format"), ("operator:root", "reserved"), ("worker", "reserved"), ("demo-nurse-lund", "reserved")],
)  # fmt: skip
async def test_a_token_has_a_name_that_nobody_else_bears(door: Door, name: str, code: str):
    desk = Desk(door.db)
    await desk.add()
    with pytest.raises(Invalid) as refused:
        await desk.add(name)
    assert [(fault.field, fault.code) for fault in refused.value.errors] == [("name", code)]


async def test_a_revoked_token_keeps_its_name(desk: Desk):
    token = await desk.add()
    async with begin(desk.db, OPERATOR, desk.clock) as tx:
        assert await tokens.revoke(tx, token.split("_")[1])
    with pytest.raises(Invalid):
        await desk.add()


@pytest.mark.parametrize(("username", "name", "fields"), [("cosmic-lund", "Per L", ["username"]), ("per.l",
    "cosmic-lund", ["name"]), (
    "per.l", "Karin N", ["name"]), ("karin.n", "Karin N", ["username", "name"]), ("demo-nurse-lund", "worker",
     ["username", "name"])])  # fmt: skip
async def test_an_account_has_names_that_nobody_else_bears(door: Door, username: str, name: str, fields: list[str]):
    await Desk(door.db).add()
    with pytest.raises(Invalid) as refused:
        await door.add(username, name=name)
    assert [fault.field for fault in refused.value.errors] == fields


# ---- the end ----


async def test_a_token_ends_with_its_last_day_a_year_on_unless_another_is_told(desk: Desk):
    today = desk.clock.now().astimezone(ZONE).date()
    for name, last_day, expected in (("a", None, today + timedelta(days=365)), ("b", today, today)):
        token = await desk.add(name, last_day)
        desk.clock.by = timedelta()
        async with begin(desk.db, OPERATOR, desk.clock, writing=False) as tx:
            (end,) = [told["expires_at"] for told in await tokens.every(tx) if told["name"] == name]
        assert isinstance(end, type(desk.clock.now()))
        assert (end - timedelta(seconds=1)).astimezone(ZONE).date() == expected
        desk.clock.by = end - desk.clock.now() - timedelta(seconds=2)
        assert (await desk.actor(token)).name == name
        desk.clock.by += timedelta(seconds=3)
        with pytest.raises(Unauthenticated) as refused:
            await desk.actor(token)
        assert "renewed" in refused.value.detail
        desk.clock.by = timedelta()


async def test_who_guesses_the_secret_of_an_ended_token_is_told_nothing_of_it(desk: Desk):
    token = await desk.add()
    desk.clock.by = timedelta(days=400)
    with pytest.raises(Unauthenticated) as refused:
        await desk.actor(token[:-1] + ("a" if token[-1] != "a" else "b"))
    assert "ended" not in refused.value.detail


async def test_a_token_cannot_end_before_today(desk: Desk):
    with pytest.raises(Invalid) as refused:
        await desk.add(last_day=date(2026, 1, 1))
    assert [(fault.field, fault.code) for fault in refused.value.errors] == [("expires", "date_in_past")]


async def test_a_renewed_token_is_the_same_actor_under_another_secret(desk: Desk):
    old = await desk.add()
    before = await desk.actor(old)
    desk.clock.by = timedelta(days=400)
    async with begin(desk.db, OPERATOR, desk.clock) as tx:
        new = await tokens.renew(tx, old.split("_")[1], None)
    other_process = Desk(desk.db)
    other_process.clock.by = desk.clock.by
    assert await other_process.actor(new) == before
    with pytest.raises(Unauthenticated):
        await other_process.actor(old)


@pytest.mark.parametrize("revoked", [False, True])
async def test_what_is_revoked_or_never_was_is_not_renewed(desk: Desk, revoked: bool):
    token_id = (await desk.add()).split("_")[1] if revoked else "0011223344556677"
    async with begin(desk.db, OPERATOR, desk.clock) as tx:
        await tokens.revoke(tx, token_id)
        with pytest.raises(NotFound):
            await tokens.renew(tx, token_id, None)


# ---- the last use ----


async def test_the_last_use_is_written_once_in_a_few_minutes_and_moves_no_etag(desk: Desk):
    token, writes = await desk.add(), []
    event.listen(
        desk.db.write.sync_engine,
        "before_cursor_execute",
        lambda c, u, sql, *rest: writes.append(sql) if "UPDATE tokens" in sql else None,
    )
    moved, first = await desk.moved_at(), desk.clock.now()
    assert (await desk.told())["last_used_at"] is None
    for _ in range(20):
        await desk.actor(token)
    assert (len(writes), (await desk.told())["last_used_at"] is not None) == (1, True)
    desk.clock.by = NOTED_EVERY + timedelta(seconds=5)
    await desk.actor(token)
    await desk.actor(token)
    used = (await desk.told())["last_used_at"]
    assert isinstance(used, type(first))
    assert (len(writes), used - first > NOTED_EVERY) == (2, True)
    assert await desk.moved_at() == moved


async def test_a_database_that_takes_no_writes_lets_a_token_in_all_the_same(desk: Desk):
    token = await desk.add()
    async with desk.db.write.begin():  # on SQLite the one writer is taken; on PostgreSQL it does not matter
        assert (await desk.actor(token)).name == "cosmic-lund"
