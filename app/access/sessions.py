"""Sessions of browsers: a secret in a cookie, its hash in the database; revocable, idle 30 minutes, at most 10 hours, a
new one at every login."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from app.access.accounts import USERNAME, change_password, check
from app.access.tokens import Tokens
from app.actor import Actor, Role
from app.clock import Clock
from app.db import accounts, kept_forms, sessions
from app.db.accounts import AccountRow
from app.db.engine import Database
from app.db.sessions import SessionRow
from app.db.transaction import begin
from app.errors import RateLimited, Unauthenticated

log = structlog.get_logger("access")

IDLE, ABSOLUTE = timedelta(minutes=30), timedelta(hours=10)
KEPT: Final = timedelta(minutes=30)  # so long a form waits for its sender
_SEEN_EVERY = timedelta(minutes=1)  # so often it is written that a session is in use
_PER_USER_THERE, _PER_ADDRESS = RateLimitItemPerMinute(5), RateLimitItemPerMinute(20)
Tries = tuple[tuple[RateLimitItemPerMinute, str], ...]  # each limit, and what is counted under it
# Who looks a session up, before it is known who calls: an actor without a centre.
_NOBODY: Final = Actor("authentication", Role.OPERATOR, frozenset(), id="authentication")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has logged in, and what was chosen for this session."""

    id: str
    actor: Actor
    name: str
    language: str
    hide_names: bool
    single_keys: bool
    demo: bool


class Sessions:
    """Says whose a session is. One for each process."""

    def __init__(self, database: Database, clock: Clock, tokens: Tokens) -> None:
        self._db = database
        self._clock = clock
        self._tokens = tokens
        self._counts = MemoryStorage()
        self._tries = FixedWindowRateLimiter(self._counts)

    async def log_in(self, username: str, password: str, address: str, *, before: str | None = None) -> str:
        """Answers the secret of a new session; `before` is what the browser's cookie holds, and that session ends
        (OWASP ASVS 5, 7.2.4).

        Failures are counted by user name and address together, so that nobody locks a user out from elsewhere: five a
        minute; and twenty a minute for an address. Raises Unauthenticated, RateLimited."""
        username = username.strip().lower()
        if USERNAME.fullmatch(username) is None:
            username = ""  # nobody's
        tries = ((_PER_ADDRESS, f"address:{address}"), (_PER_USER_THERE, f"user:{username}@{address}"))
        await self._count(tries)
        async with begin(self._db, _NOBODY, self._clock, writing=False) as tx:
            account = await accounts.by_username(tx, username)
        if not await check(account, password) or account is None:
            # What nobody is called may be a password.
            log.warning("login.failed", actor=account.username if account else None)
            raise Unauthenticated("User name or password is wrong.")
        await self._uncount(tries)
        return await self._begun(account, None, before)

    async def log_in_demo(self, token: str, loopback: bool, *, before: str | None = None) -> str:
        """Answers the secret of a new session on a fixed token of the demo; `before` as at the login. Raises
        Unauthenticated."""
        if not token.startswith("demo-"):
            raise Unauthenticated("There is no such login.")
        await self._tokens.actor(token, loopback)
        return await self._begun(None, token, before)

    async def change_password(self, actor: Actor, old: str, new: str) -> str:
        """Gives the caller's own account another password, ends its sessions and answers the secret of a new one. Five
        wrong guesses a minute at the old one; they lock nobody out of the login. Raises Invalid for the field
        `old_password` or `new_password`, NotFound without an account, RateLimited."""
        tries = ((_PER_USER_THERE, f"password:{actor.name}"),)
        await self._count(tries)
        async with begin(self._db, actor, self._clock) as tx:
            await change_password(tx, old, new)
            account = await accounts.by_id(tx, actor.id)
        await self._uncount(tries)
        return await self._begun(account, None, None)

    async def _count(self, tries: Tries) -> None:
        """Before the password is looked at, so that many at once are not let through."""
        for limit, whose in tries:
            if not await self._tries.hit(limit, whose):
                raise RateLimited("Too many attempts to log in; wait a minute.", retry_after=60)

    async def _uncount(self, tries: Tries) -> None:
        for limit, whose in tries:
            await self._counts.incr(limit.key_for(whose), limit.get_expiry(), -1)

    async def _begun(self, account: AccountRow | None, demo_token: str | None, before: str | None) -> str:
        secret = secrets.token_urlsafe(32)
        language, keys = (account.language, account.single_keys) if account else ("sv", True)
        async with begin(self._db, _NOBODY, self._clock) as tx:
            row = SessionRow(
                _hash(secret), account.id if account else None, demo_token, language, False, keys, tx.now, tx.now, None
            )
            await sessions.add(tx, row)
            if before is not None:
                await sessions.end(tx, _hash(before))
            await kept_forms.forget(tx, tx.now - KEPT)
        log.info("login.done", actor=account.username if account else demo_token)
        return secret

    async def found(self, secret: str, loopback: bool, *, by_itself: bool = False) -> Session | None:
        """Whose session the secret opens; None when it is unknown, ended, idle for 30 minutes, older than 10 hours, or
        its account closed.

        `by_itself`: a page asks, not a person, and the session stays as idle as it was.
        """
        async with begin(self._db, _NOBODY, self._clock, writing=False) as tx:
            both, now = await sessions.by_id(tx, _hash(secret)), tx.now
        if both is None:
            return None
        row, account = both
        if row.ended_at is not None or now - row.last_seen_at > IDLE or now - row.created_at > ABSOLUTE:
            return None
        actor = await self._actor(row, account, loopback)
        if actor is None:
            return None
        if now - row.last_seen_at > _SEEN_EVERY and not by_itself:
            async with begin(self._db, _NOBODY, self._clock) as tx:
                await sessions.seen(tx, row.id)
        name = account.name if account else actor.name
        return Session(row.id, actor, name, row.language, row.hide_names, row.single_keys, row.demo_token is not None)

    async def _actor(self, row: SessionRow, account: AccountRow | None, loopback: bool) -> Actor | None:
        if account is not None:
            centres = None if account.centres == "all" else frozenset(account.centres.split())
            unit = "network" if centres is None else " ".join(sorted(centres))
            usable = account.disabled_at is None
            return (
                Actor(account.username, Role(account.role), centres, unit=unit, id=str(account.id)) if usable else None
            )
        try:
            return (await self._tokens.actor(row.demo_token or "", loopback))[1]
        except Unauthenticated:
            return None

    async def expired_owner(self, secret: str) -> str | None:
        """The actor's id of a session that has run out in the last 30 minutes, by idleness or age; None for any
        other."""
        async with begin(self._db, _NOBODY, self._clock, writing=False) as tx:
            both, now = await sessions.by_id(tx, _hash(secret)), tx.now
        if both is None:
            return None
        row, account = both
        since = now - min(row.last_seen_at + IDLE, row.created_at + ABSOLUTE)
        if row.ended_at is not None or not timedelta() < since <= KEPT:
            return None
        if account is None:
            return row.demo_token
        return str(account.id) if account.disabled_at is None else None

    async def keep_form(self, owner: str, path: str, fields: Mapping[str, list[str]]) -> UUID:
        """Keeps a form, sealed, for its owner (an actor's id), and answers its id."""
        async with begin(self._db, _NOBODY, self._clock) as tx:
            return await kept_forms.add(tx, owner, path, fields)

    async def kept_form(self, owner: str, form: UUID) -> tuple[str, dict[str, list[str]]] | None:
        """The address and fields of a form, once and to its owner only; None when there is none, or it is older than 30
        minutes."""
        async with begin(self._db, _NOBODY, self._clock) as tx:
            await kept_forms.forget(tx, tx.now - KEPT)
            return await kept_forms.take(tx, owner, form)

    async def log_out(self, secret: str) -> None:
        """Ends a session, if there is one."""
        async with begin(self._db, _NOBODY, self._clock) as tx:
            await sessions.end(tx, _hash(secret))

    async def choose(self, session: Session, *, language: str, hide_names: bool, single_keys: bool) -> None:
        """Keeps what was chosen; language and keys for later sessions of the account too."""
        async with begin(self._db, _NOBODY, self._clock) as tx:
            await sessions.choose(tx, session.id, language, hide_names, single_keys)
            both = await sessions.by_id(tx, session.id)
            if both is not None and both[1] is not None:
                await accounts.keep_choices(tx, both[1].id, language, single_keys)


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: nobody can try them all.
    return sha256(secret.encode()).hexdigest()
