"""Accounts: passwords that are made, changed and checked slowly, and as slowly for whoever does not exist."""

from time import perf_counter
from typing import Any

import pytest

from app.access import accounts
from app.access.accounts import AccountChange, NewAccount
from app.actor import Actor, Role
from app.db import accounts as rows
from app.db.accounts import AccountRow
from app.db.transaction import begin
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated
from tests.access.conftest import OPERATOR, Door

NEW = "twelve signs"


async def stored(door: Door) -> AccountRow:
    async with begin(door.db, OPERATOR, door.clock, writing=False) as tx:
        found = await rows.by_username(tx, "karin.n")
    assert found is not None
    return found


async def changed(door: Door, old: str, new: str, actor: Actor | None = None) -> None:
    async with begin(door.db, actor or await door.nurse(), door.clock) as tx:
        await accounts.change_password(tx, old, new)


async def test_each_account_has_a_first_password_of_its_own(door: Door):
    assert len({door.password, await door.add("per.l"), await door.add("eva.s")}) == 3


async def test_every_account_is_told_without_what_is_kept_of_its_password(door: Door):
    await door.disable("karin.n")
    async with begin(door.db, OPERATOR, door.clock, writing=False) as tx:
        (told,) = await accounts.every(tx)
    assert (told["username"], told["name"], told["role"], told["centres"]) == ("karin.n", "Karin N", "nurse", "lund")
    assert told["disabled_at"] is not None
    assert "argon2" not in str(told)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMIN, Role.OPERATOR}))
async def test_only_who_manages_accounts_makes_closes_or_lists_them(door: Door, role: Role):
    async with begin(door.db, Actor("somebody", role, None, id="somebody"), door.clock) as tx:
        with pytest.raises(Forbidden):
            await accounts.add(tx, NewAccount("per.l", "Per L", Role.NURSE, None))
        with pytest.raises(Forbidden):
            await accounts.disable(tx, "karin.n")
        with pytest.raises(Forbidden):
            await accounts.change(tx, "karin.n", AccountChange(role=Role.ADMIN))
        with pytest.raises(Forbidden):
            await accounts.every(tx)


async def test_all_that_is_wrong_with_an_account_is_told_at_once(door: Door):
    async with begin(door.db, OPERATOR, door.clock) as tx:
        with pytest.raises(Invalid) as refused:
            await accounts.add(tx, NewAccount("K", " ", Role.WORKER, frozenset()))
    assert [fault.field for fault in refused.value.errors] == ["username", "name", "role", "centre"]


@pytest.mark.parametrize("username", ["k", "Karin", "karin n", "k" * 41, "åsa", "karin\n", "19811228-9874x" * 4, ""])
async def test_a_user_name_has_two_to_forty_small_signs(door: Door, username: str):
    with pytest.raises(Invalid):
        await door.add(username)


async def test_an_unknown_or_closed_user_is_checked_as_long_as_a_known_one(door: Door):
    known = await stored(door)
    await door.disable("karin.n")
    took: dict[str, float] = {}
    for name, account in {"known": known, "unknown": None, "closed": await stored(door)}.items():
        each = []
        for _ in range(5):
            began = perf_counter()
            assert not await accounts.check(account, "wrong")
            each.append(perf_counter() - began)
        took[name] = min(each)
    assert min(took.values()) > max(took.values()) / 3


async def test_a_changed_password_opens_and_the_old_one_no_longer(door: Door):
    await changed(door, door.password, NEW)
    with pytest.raises(Unauthenticated):
        await door.log_in()
    assert await door.sessions.found(await door.log_in(NEW), loopback=False) is not None


async def test_a_changed_password_ends_every_session_of_the_account_and_of_no_other(door: Door):
    own = await door.log_in()
    other = await door.log_in(await door.add("per.l"), "per.l")
    await changed(door, door.password, NEW)
    assert await door.sessions.found(own, loopback=False) is None
    assert await door.sessions.found(other, loopback=False) is not None


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("wrong", NEW, ["old_password"]),
        (None, NEW[:-1], ["new_password"]),
        ("wrong", "", ["old_password", "new_password"]),
    ],
)
async def test_a_password_is_not_changed_without_the_old_one_or_to_a_short_one(
    door: Door, old: str | None, new: str, fields: list[str]
):
    with pytest.raises(Invalid) as refused:
        await changed(door, old or door.password, new)
    assert [fault.field for fault in refused.value.errors] == fields
    await door.log_in()


# ---- changed by who manages accounts ----


async def test_another_role_and_other_centres_hold_from_the_next_call_of_a_session(door: Door):
    secret = await door.log_in()
    assert await door.change(role=Role.COORDINATOR, centres=frozenset({"umea", "lund"})) is None
    found = await door.sessions.found(secret, loopback=False)
    assert found is not None
    assert (found.actor.role, found.actor.centres, found.actor.unit) == (
        Role.COORDINATOR,
        frozenset({"lund", "umea"}),
        "lund umea",
    )
    assert (found.actor.id, found.name) == ((await door.nurse()).id, "Karin N")
    await door.change(centres=frozenset({accounts.ALL}), name="Karin Nilsson")
    found = await door.sessions.found(secret, loopback=False)
    assert found is not None
    assert (found.actor.role, found.actor.centres, found.name) == (Role.COORDINATOR, None, "Karin Nilsson")


async def test_a_new_password_is_told_once_and_ends_the_sessions(door: Door):
    secret = await door.log_in()
    made = await door.change(new_password=True)
    assert made is not None
    assert await door.sessions.found(secret, loopback=False) is None
    with pytest.raises(Unauthenticated):
        await door.log_in()
    assert await door.log_in(made)
    assert made not in await door.everything_stored()


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({}, ["name"]),
        ({"role": Role.INTEGRATION}, ["role"]),
        ({"centres": frozenset({"malmo"})}, ["centre"]),
        ({"name": " ", "role": Role.WORKER}, ["name", "role"]),
        ({"name": "per.l at work"}, ["name"]),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(door: Door, wanted: dict[str, Any], fields: list[str]):
    await door.add("per.l")
    before = await stored(door)
    with pytest.raises(Invalid) as refused:
        await door.change(**wanted, new_password=bool(wanted))
    assert [fault.field for fault in refused.value.errors] == fields
    assert await stored(door) == before


async def test_a_closed_account_is_not_changed(door: Door):
    await door.disable("karin.n")
    with pytest.raises(NotFound):
        await door.change(role=Role.ADMIN)


async def test_who_has_no_account_has_no_password_to_change(door: Door):
    with pytest.raises(NotFound):
        await changed(
            door, door.password, NEW, Actor("demo-nurse-lund", Role.NURSE, frozenset({"lund"}), id="demo-nurse-lund")
        )


async def test_the_history_tells_what_became_of_an_account_and_never_a_password(door: Door):
    await changed(door, door.password, NEW)
    await door.change(role=Role.CLINICIAN, new_password=True)
    await door.disable("karin.n")
    acts = ["add", "change-password", "change", "new-password", "disable"]
    assert await door.history() == [("account", act) for act in acts]
    for secret in (door.password, NEW):
        assert secret not in await door.everything_stored()
