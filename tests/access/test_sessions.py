"""Who comes in by a browser: passwords checked slowly, sessions that end, nothing told to whoever guesses."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from app.access.sessions import ABSOLUTE, IDLE, KEPT
from app.actor import Role
from app.errors import Invalid, NotFound, RateLimited, Unauthenticated
from tests.access.conftest import Door
from tests.api.conftest import logged

__all__ = ["logged"]
FIELDS = {"name": ["Test Testsson"], "reason": ["a", "b"], "empty": [""]}


async def test_a_login_is_the_accounts_actor_with_its_role_and_centres(door: Door):
    found = await door.sessions.found(await door.log_in(), loopback=False)
    assert found is not None
    assert (found.actor, found.name) == (await door.nurse(), "Karin N")


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


async def fail(door: Door, times: int, **told: str) -> None:
    for n in range(times):
        with pytest.raises(Unauthenticated):
            await door.log_in("wrong", **{"username": f"nobody-{n}", **told})


async def test_after_five_failures_in_a_minute_even_the_right_password_has_to_wait(door: Door):
    await fail(door, 5, username="karin.n")
    with pytest.raises(RateLimited) as refused:
        await door.log_in()
    assert refused.value.facts["retry_after"] == 60


async def test_failures_from_one_address_lock_a_user_out_nowhere_else(door: Door):
    await fail(door, 5, username="karin.n", address="192.0.2.1")
    with pytest.raises(RateLimited):
        await door.log_in(address="192.0.2.1")
    assert await door.log_in()


@pytest.mark.parametrize("username", ["Karin.N", " karin.n ", "KARIN.N"])
async def test_one_user_name_in_several_spellings_has_its_five_failures_once(door: Door, username: str):
    await fail(door, 5, username=username)
    with pytest.raises(RateLimited):
        await door.log_in()


async def test_twenty_failures_at_an_address_stop_it_for_every_user_and_no_other_address(door: Door):
    await fail(door, 20)
    with pytest.raises(RateLimited):
        await door.log_in()
    await door.log_in(address="10.0.0.2")


async def test_many_failures_at_once_are_not_let_through(door: Door):
    told = await asyncio.gather(*(door.log_in("wrong") for _ in range(12)), return_exceptions=True)
    assert sorted(type(fault).__name__ for fault in told) == ["RateLimited"] * 7 + ["Unauthenticated"] * 5


async def test_a_whole_ward_behind_one_address_may_log_in_within_a_minute(door: Door):
    for _ in range(25):
        await door.log_in()


async def test_a_user_name_is_typed_in_any_case(door: Door):
    assert await door.sessions.found(await door.log_in(username=" Karin.N "), loopback=False) is not None


@pytest.mark.parametrize("username", ["ka\0rin", "k" * 100_000, "karin.n' OR 1=1"])
async def test_what_cannot_be_a_user_name_is_nobodys(door: Door, username: str):
    await fail(door, 1, username=username)


async def test_a_login_and_a_failed_one_stand_in_the_log_without_what_was_typed(
    door: Door, capsys: pytest.CaptureFixture[str], logged: None
):
    await door.log_in()
    await fail(door, 1, username="karin.n")
    with pytest.raises(Unauthenticated):
        await door.log_in("secret-1", "my-secret-2")
    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    assert [(line["level"], line["event"], line["actor"]) for line in lines] == [
        ("info", "login.done", "karin.n"),
        ("warning", "login.failed", "karin.n"),
        ("warning", "login.failed", None),
    ]
    assert not [secret for secret in (door.password, "secret-1", "my-secret-2") if secret in written]


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


async def test_what_a_page_asks_by_itself_keeps_no_session_alive(door: Door):
    secret = await door.log_in()
    while door.clock.by < IDLE - timedelta(minutes=1):
        door.clock.by += timedelta(seconds=61)
        assert await door.sessions.found(secret, loopback=False, by_itself=True) is not None
    door.clock.by = IDLE + timedelta(seconds=1)
    assert await door.sessions.found(secret, loopback=False) is None


async def test_after_log_out_the_secret_opens_nothing(door: Door):
    secret = await door.log_in()
    await door.sessions.log_out(secret)
    assert await door.sessions.found(secret, loopback=False) is None


async def test_closing_an_account_ends_its_sessions_and_its_password(door: Door):
    secret = await door.log_in()
    await door.disable("karin.n")
    assert await door.sessions.found(secret, loopback=False) is None
    with pytest.raises(Unauthenticated):
        await door.log_in()
    with pytest.raises(NotFound):
        await door.disable("karin.n")


async def test_what_was_chosen_is_kept_for_the_session_and_language_and_keys_for_later_ones(door: Door):
    secret = await door.log_in()
    session = await door.sessions.found(secret, loopback=False)
    assert session is not None
    await door.sessions.choose(session, language="en", hide_names=True, single_keys=False)
    now, later = (
        await door.sessions.found(secret, loopback=False),
        await door.sessions.found(await door.log_in(), loopback=False),
    )
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
        await door.add(**{"username": "per.l", "name": "Per L"} | told)
    assert [fault.field for fault in refused.value.errors] == [field]


async def test_the_demos_logins_are_for_this_machine_only(door: Door):
    with pytest.raises(Unauthenticated):
        await door.sessions.log_in_demo("demo-nurse-lund", loopback=False)
    secret = await door.sessions.log_in_demo("demo-nurse-lund", loopback=True)
    assert await door.sessions.found(secret, loopback=True) is not None
    assert await door.sessions.found(secret, loopback=False) is None
    with pytest.raises(Unauthenticated):
        await door.sessions.log_in_demo("fu_x_y", loopback=True)


async def _stands(door: Door, *secrets: str) -> list[bool]:
    return [await door.sessions.found(secret, loopback=True) is not None for secret in secrets]


async def test_a_login_ends_the_session_that_the_browser_had_before_and_no_other(door: Door):
    elsewhere, first = await door.log_in(), await door.log_in()
    second = await door.sessions.log_in("karin.n", door.password, "10.0.0.1", before=first)
    assert await _stands(door, elsewhere, first, second) == [True, False, True]
    third = await door.sessions.log_in_demo("demo-nurse-lund", loopback=True, before=second)
    assert await _stands(door, elsewhere, second, third) == [True, False, True]


async def test_a_failed_login_ends_no_session(door: Door):
    secret = await door.log_in()
    with pytest.raises(Unauthenticated):
        await door.sessions.log_in("karin.n", "wrong", "10.0.0.1", before=secret)
    assert await _stands(door, secret) == [True]


# ---- forms sent after a session has run out ----


@pytest.mark.parametrize(
    ("later", "known"),
    [
        (timedelta(), False),
        (IDLE - timedelta(seconds=1), False),
        (IDLE + timedelta(seconds=1), True),
        (IDLE + KEPT - timedelta(seconds=1), True),
        (IDLE + KEPT + timedelta(seconds=1), False),
    ],
)
async def test_whose_a_session_was_is_known_for_half_an_hour_after_it_ran_out(
    door: Door, later: timedelta, known: bool
):
    secret = await door.log_in()
    door.clock.by = later
    assert await door.sessions.expired_owner(secret) == ((await door.nurse()).id if known else None)


async def test_whose_a_session_was_that_ran_out_by_age_is_known_too(door: Door):
    secret = await door.sessions.log_in_demo("demo-nurse-lund", loopback=True)
    while door.clock.by + timedelta(minutes=29) < ABSOLUTE:
        door.clock.by += timedelta(minutes=29)
        await door.sessions.found(secret, loopback=True)
    door.clock.by = ABSOLUTE + timedelta(minutes=1)
    assert await door.sessions.expired_owner(secret) == "demo-nurse-lund"
    door.clock.by = ABSOLUTE + KEPT + timedelta(minutes=1)
    assert await door.sessions.expired_owner(secret) is None


async def test_an_ended_session_a_closed_account_and_an_unknown_secret_are_nobodys(door: Door):
    ended, closed = await door.log_in(), await door.log_in(await door.add("per.l"), "per.l")
    await door.sessions.log_out(ended)
    await door.disable("per.l")
    door.clock.by = IDLE + timedelta(minutes=1)
    assert [await door.sessions.expired_owner(secret) for secret in (ended, closed, "unknown")] == [None, None, None]


async def test_a_kept_form_is_given_back_once(door: Door):
    form = await door.sessions.keep_form("karin.n", "/infusions/new", FIELDS)
    assert await door.sessions.kept_form("karin.n", form) == ("/infusions/new", FIELDS)
    assert await door.sessions.kept_form("karin.n", form) is None


async def test_a_kept_form_is_given_to_its_owner_only_and_stays_until_then(door: Door):
    form = await door.sessions.keep_form("karin.n", "/infusions/new", FIELDS)
    assert await door.sessions.kept_form("per.l", form) is None
    assert await door.sessions.kept_form("karin.n", UUID(int=1)) is None
    assert await door.sessions.kept_form("karin.n", form) is not None


@pytest.mark.parametrize(
    ("later", "stands"), [(KEPT - timedelta(seconds=1), True), (KEPT + timedelta(seconds=1), False)]
)
async def test_a_kept_form_waits_for_half_an_hour(door: Door, later: timedelta, stands: bool):
    form = await door.sessions.keep_form("karin.n", "/infusions/new", FIELDS)
    door.clock.by = later
    assert (await door.sessions.kept_form("karin.n", form) is not None) == stands


async def test_a_kept_form_is_sealed_and_is_removed_by_the_next_login_after_its_time(door: Door):
    await door.sessions.keep_form("karin.n", "/infusions/new", FIELDS)
    before = await door.everything_stored()
    assert "/infusions/new" in before
    assert "Testsson" not in before
    door.clock.by = KEPT + timedelta(seconds=1)
    await door.log_in()
    assert "/infusions/new" not in await door.everything_stored()


async def test_of_one_owner_the_newest_ten_forms_are_kept(door: Door):
    others = await door.sessions.keep_form("per.l", "/infusions/new", FIELDS)
    forms = [await door.sessions.keep_form("karin.n", "/infusions/new", {"n": [str(n)]}) for n in range(12)]
    kept = [await door.sessions.kept_form("karin.n", form) for form in forms]
    assert [form and form[1]["n"] for form in kept] == [None, None, *([str(n)] for n in range(2, 12))]
    assert await door.sessions.kept_form("per.l", others) is not None


async def test_a_changed_password_ends_every_session_and_begins_a_new_one(door: Door):
    before = [await door.log_in(), await door.log_in()]
    secret = await door.sessions.change_password(await door.nurse(), door.password, "twelve signs")
    assert [await door.sessions.found(one, loopback=False) for one in before] == [None, None]
    assert await door.sessions.found(secret, loopback=False) is not None
    assert await door.log_in("twelve signs")


async def test_after_five_guesses_at_the_old_password_it_has_to_wait_and_the_login_does_not(door: Door):
    for _ in range(5):
        with pytest.raises(Invalid):
            await door.sessions.change_password(await door.nurse(), "wrong", "twelve signs")
    with pytest.raises(RateLimited):
        await door.sessions.change_password(await door.nurse(), door.password, "twelve signs")
    assert await door.log_in()
