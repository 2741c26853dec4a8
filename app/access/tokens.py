"""API tokens `fu_<id>_<secret>`: stored as SHA-256 only, found by id, compared in constant time; and the fixed tokens
of the demo."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Final

import structlog

from app.access import names
from app.actor import SCOPES, Act, Actor, Role
from app.clock import ZONE, Clock, midnight_after
from app.db import catalogue, tokens
from app.db.engine import Database
from app.db.tokens import TokenRow
from app.db.transaction import Transaction, begin
from app.errors import FieldError, Invalid, NotFound, Unauthenticated, Unavailable

LIFE: Final = timedelta(days=365)  # of a token, where nothing else is asked for
NOTED_EVERY: Final = timedelta(minutes=5)  # so often it is written that a token is in use
CACHE_SECONDS: Final = 1.0  # for so long a revoked token may still be let in
_MOST_CACHED: Final = 1000
_DEMO_AT_A_CENTRE: Final = {
    "nurse": Role.NURSE,
    "clinician": Role.CLINICIAN,
    "coordinator": Role.COORDINATOR,
    "integration": Role.INTEGRATION,
}
_DEMO_EVERYWHERE: Final = {
    "demo-network": Role.NETWORK,
    "demo-auditor": Role.AUDITOR,
    "demo-admin": Role.ADMIN,
    "demo-integration-all": Role.INTEGRATION,
}
log = structlog.get_logger("access")

# Who looks a token up, before it is known who calls: an actor without a centre.
_NOBODY: Final = Actor("authentication", Role.OPERATOR, frozenset(), id="authentication")
# Roles that a token may have: those of contract 8.
ROLES: Final = frozenset(Role) - {Role.OPERATOR, Role.WORKER}


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be made, and the last day on which it opens the service. `centres` None: all of them; scopes only for
    systems."""

    name: str
    role: Role
    centres: frozenset[str] | None
    scopes: frozenset[str] = frozenset()
    last_day: date | None = None  # local; None: a year on


async def add(tx: Transaction, new: NewToken) -> str:
    """Stores a new token and answers it; it can never be read again. Raises Invalid with each fault, Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    name = new.name.strip()
    faults = await names.faults(tx, "name", name)
    if new.scopes - SCOPES:
        faults.append(FieldError("scopes", "unknown_scope", "There is no such scope."))
    if new.role not in ROLES:
        faults.append(FieldError("role", "unknown_role", "A token cannot have this role."))
    if new.scopes and new.role is not Role.INTEGRATION:
        faults.append(FieldError("scopes", "scopes_need_integration", "Only tokens of systems have scopes."))
    if new.centres is not None and not new.centres <= await catalogue.centre_codes(tx):
        faults.append(FieldError("centres", "unknown_centre", "There is no such centre."))
    expires_at = _end(tx, new.last_day, faults)
    if faults:
        raise Invalid("The token cannot be made.", errors=faults)
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    centres = "all" if new.centres is None else " ".join(sorted(new.centres))
    row = TokenRow(
        token_id, name, _hash(secret), new.role, centres, " ".join(sorted(new.scopes)), tx.now, None, None, expires_at
    )
    await tokens.add(tx, row)
    details = {
        "name": name,
        "role": new.role,
        "centres": centres,
        "scopes": sorted(new.scopes),
        "expires_at": expires_at.isoformat(),
    }
    tx.changed("token", token_id, "add", None, details)
    return f"fu_{token_id}_{secret}"


async def renew(tx: Transaction, token_id: str, last_day: date | None) -> str:
    """Gives a token another secret and another end (None: a year on) and answers it; the old secret opens nothing any
    more. Id and name stay, and so whose work it did. Raises NotFound where there is none or it is revoked, Invalid for
    a day that has passed, Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    faults: list[FieldError] = []
    expires_at, secret = _end(tx, last_day, faults), secrets.token_urlsafe(32)
    if faults:
        raise Invalid("The token cannot be renewed.", errors=faults)
    if not await tokens.renew(tx, token_id, _hash(secret), expires_at):
        raise NotFound("There is no such token, or it is revoked; see: follow-up token list.")
    tx.changed("token", token_id, "renew", None, {"expires_at": expires_at.isoformat()})
    return f"fu_{token_id}_{secret}"


def _end(tx: Transaction, last_day: date | None, faults: list[FieldError]) -> datetime:
    """The end of the last day (local), by the real day: the demo's may be ahead of it."""
    today = tx.now.astimezone(ZONE).date()
    if last_day is not None and last_day < today:
        faults.append(FieldError("expires", "date_in_past", f"{last_day} lies before today, {today}."))
    return midnight_after(last_day or today + LIFE)


async def revoke(tx: Transaction, token_id: str) -> bool:
    """Takes a token back; it is refused at the latest after CACHE_SECONDS. False when there was nothing to take back.
    Raises Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    revoked = await tokens.revoke(tx, token_id)
    if revoked:
        tx.changed("token", token_id, "revoke", None, None)
    return revoked


async def every(tx: Transaction) -> list[dict[str, object]]:
    """Every token, revoked ones too, without what is kept of its secret. Raises Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    columns = ("id", "name", "role", "centres", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    return [{name: getattr(row, name) for name in columns} for row in await tokens.every(tx)]


class Tokens:
    """Says whose a token is. One for each process."""

    def __init__(self, database: Database, clock: Clock, *, demo: bool) -> None:
        """`demo`: the fixed tokens of contract 7 are honoured, from loopback only."""
        self._db = database
        self._clock = clock
        self._demo = demo
        self._rows: dict[str, tuple[float, TokenRow | None]] = {}
        self._noted: dict[str, datetime] = {}  # when this process last wrote, or tried to, that a token is in use
        self._centres: tuple[float, frozenset[str]] = (0.0, frozenset())

    async def actor(self, token: str, loopback: bool) -> tuple[str, Actor]:
        """A name for the token (for counting its calls; not secret) and who it is. Raises Unauthenticated."""
        if token.startswith("demo-"):
            return token, await self._demo_actor(token, loopback)
        kind, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        row = await self._row(token_id) if kind == "fu" and token_id and secret else None
        if row is None or not hmac.compare_digest(row.secret_hash, _hash(secret)):
            raise Unauthenticated
        now = self._clock.now()
        if row.expires_at <= now:
            raise Unauthenticated(
                f"This token ended on {row.expires_at.astimezone(ZONE):%Y-%m-%d}; ask for it to be renewed."
            )
        await self._note_use(row, now)
        return token_id, _actor(row)

    async def _note_use(self, row: TokenRow, now: datetime) -> None:
        """Once in NOTED_EVERY, whether it succeeds or not: reads write nothing for it, and a database that takes no
        writes refuses nobody here."""
        noted = [at for at in (row.last_used_at, self._noted.get(row.id)) if at is not None]
        if noted and now - max(noted) <= NOTED_EVERY:
            return
        self._noted[row.id] = now
        try:
            async with begin(self._db, _NOBODY, self._clock) as tx:
                await tokens.used(tx, row.id, now - NOTED_EVERY)
        except Unavailable:
            log.warning("token.use_not_noted", actor=row.name)

    async def _row(self, token_id: str) -> TokenRow | None:
        until, row = self._rows.get(token_id, (0.0, None))
        if until < monotonic():
            async with begin(self._db, _NOBODY, self._clock, writing=False) as tx:
                row = await tokens.by_id(tx, token_id)
            if len(self._rows) >= _MOST_CACHED:
                self._rows.clear()
            self._rows[token_id] = (monotonic() + CACHE_SECONDS, row)
        return row if row is not None and row.revoked_at is None else None

    async def _demo_actor(self, token: str, loopback: bool) -> Actor:
        if not (self._demo and loopback):
            raise Unauthenticated
        role = _DEMO_EVERYWHERE.get(token)
        if role is not None:
            return Actor(token, role, None, _scopes(role), "network", id=token)
        word, _, centre = token.removeprefix("demo-").partition("-")
        role = _DEMO_AT_A_CENTRE.get(word)
        if role is None or centre not in await self._known_centres():
            raise Unauthenticated
        return Actor(token, role, frozenset({centre}), _scopes(role), centre, id=token)

    async def _known_centres(self) -> frozenset[str]:
        until, codes = self._centres
        if until < monotonic():
            async with begin(self._db, _NOBODY, self._clock, writing=False) as tx:
                codes = await catalogue.centre_codes(tx)
            self._centres = (monotonic() + CACHE_SECONDS, codes)
        return codes


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: nobody can try them all.
    return sha256(secret.encode()).hexdigest()


def _scopes(role: Role) -> frozenset[str]:
    return SCOPES if role is Role.INTEGRATION else frozenset()


def _actor(row: TokenRow) -> Actor:
    centres = None if row.centres == "all" else frozenset(row.centres.split())
    return Actor(row.name, Role(row.role), centres, frozenset(row.scopes.split()), _unit(centres), id=row.id)


def _unit(centres: Iterable[str] | None) -> str:
    return "network" if centres is None else " ".join(sorted(centres))
