"""Who comes in by a browser: passwords checked slowly, sessions that end, nothing told to whoever guesses."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.access.sessions import ABSOLUTE, IDLE
from app.actor import Role
from app.errors import Invalid, RateLimited, Unauthenticated
from tests.access.conftest import Door


async def test_a_login_is_the_accounts_actor_with_its_role_and_centres(door: Door):
    found = await door.sessions.found(await door.log_in(), loopback=False)
    assert found is not None
    assert (found.actor.name, found.actor.role, found.actor.centres, found.name) == ("karin.n", Role.NURSE, frozenset({"lund"}), "Karin N")


async def test_each_login_has_a_secret_of_its_own_and_only_its_hash_is_stored(door: Door):
    first, second = await door.log_in(), await door.log_in()
    assert first != second
    async with door.db.read.connect() as connection:
        stored = str((await connection.execute(text("SELECT * FROM sessions"))).all()) + str(
            (await connection.execute(text("SELECT * FROM accounts"))).all()
        )
    assert first not in stored
    assert door.password not in stored
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored


@pytest.mark.parametrize(("username", "password"), [("karin.n", "wrong"), ("nobody", "wrong"), ("", "")])
async def test_a_wrong_password_and_an_unknown_user_are_told_the_same(door: Door, username: str, password: str):
    with pytest.raises(Unauthenticated) as refused:
        await door.log_in(password, username)
    assert refused.value.detail == "User name or password is wrong."


async def test_six_tries_a_minute_are_too_many_even_with_the_right_password(door: Door):
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await door.log_in("wrong")
    with pytest.raises(RateLimited):
        await door.log_in()


@pytest.mark.parametrize(("later", "stands"), [(IDLE, True), (IDLE + timedelta(seconds=1), False)])
async def test_a_session_that_is_idle_for_more_than_half_an_hour_is_over(door: Door, later: timedelta, stands: bool):
    secret = await door.log_in()
    door.clock.by = later - timedelta(milliseconds=500)
    assert (await door.sessions.found(secret, loopback=False) is not None) == stands


async def test_a_session_in_use_is_over_after_ten_hours_all_the_same(door: Door):
    secret = await door.log_in()
    while door.clock.by + timedelta(minutes=29) < ABSOLUTE:
        door.clock.by += timedelta(minutes=29)
        assert await door.sessions.found(secret, loopback=False) is not None
    door.clock.by += timedelta(minutes=29)
    assert await door.sessions.found(secret, loopback=False) is None


async def test_after_log_out_the_secret_opens_nothing(door: Door):
    secret = await door.log_in()
    await door.sessions.log_out(secret)
    assert await door.sessions.found(secret, loopback=False) is None


async def test_closing_an_account_ends_its_sessions_and_its_password(door: Door):
    secret = await door.log_in()
    assert await door.disable("karin.n")
    assert await door.sessions.found(secret, loopback=False) is None
    with pytest.raises(Unauthenticated):
        await door.log_in()
    assert not await door.disable("karin.n")


async def test_what_was_chosen_is_kept_for_the_session_and_language_and_keys_for_later_ones(door: Door):
    secret = await door.log_in()
    session = await door.sessions.found(secret, loopback=False)
    assert session is not None
    await door.sessions.choose(session, language="en", hide_names=True, single_keys=False)
    now, later = await door.sessions.found(secret, loopback=False), await door.sessions.found(await door.log_in(), loopback=False)
    assert now is not None
    assert later is not None
    assert (now.language, now.hide_names, now.single_keys) == ("en", True, False)
    assert (later.language, later.hide_names, later.single_keys) == ("en", False, False)


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"username": "Karin N"}, "username"),
        ({"username": "karin.n"}, "username"),
        ({"role": Role.INTEGRATION}, "role"),
        ({"centres": frozenset({"x"})}, "centre"),
    ],
)
async def test_an_account_that_cannot_be_is_refused_with_its_field(door: Door, told: dict, field: str):
    with pytest.raises(Invalid) as refused:
        await door.add(**{"username": "per.l"} | told)
    assert [fault.field for fault in refused.value.errors] == [field]


async def test_the_demos_logins_are_for_this_machine_only(door: Door):
    with pytest.raises(Unauthenticated):
        await door.sessions.log_in_demo("demo-nurse-lund", loopback=False)
    secret = await door.sessions.log_in_demo("demo-nurse-lund", loopback=True)
    assert await door.sessions.found(secret, loopback=True) is not None
    assert await door.sessions.found(secret, loopback=False) is None
    with pytest.raises(Unauthenticated):
        await door.sessions.log_in_demo("fu_x_y", loopback=True)
