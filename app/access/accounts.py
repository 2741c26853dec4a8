"""Accounts of people: added with a password that is shown once, and checked by a slow hash (argon2id; OWASP's second
choice of parameters)."""

import asyncio
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from app.access import names
from app.actor import Act, Role
from app.db import accounts, catalogue
from app.db.accounts import AccountRow
from app.db.columns import new_id
from app.db.transaction import Transaction
from app.errors import FieldError, Invalid, NotFound

ROLES: Final = frozenset(Role) - {Role.OPERATOR, Role.WORKER, Role.INTEGRATION}
USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}", re.ASCII)
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified for unknown users, so that they take as long as known ones.
_NOBODYS = _HASHER.hash(secrets.token_urlsafe(32))
# Two hashes at work at most: each holds 19 MiB and a core.
_HASHING = ThreadPoolExecutor(2, "password")
SHORTEST: Final = 12
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made. `centres` None: all of them; `name` is what colleagues see."""

    username: str
    name: str
    role: Role
    centres: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What is to become of an account; what is left out stays. `centres` with ALL in it: all of them."""

    name: str | None = None
    role: Role | None = None
    centres: frozenset[str] = frozenset()
    new_password: bool = False


async def add(tx: Transaction, new: NewAccount) -> str:
    """Stores a new account and answers its first password, which can never be read again. Raises Invalid with each
    fault, Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    faults = []
    if USERNAME.fullmatch(new.username) is None:
        faults.append(
            FieldError(
                "username", "bad_format", "A user name has 2 to 40 small letters, digits, dots, dashes or underscores."
            )
        )
    else:
        faults += await names.faults(tx, "username", new.username)
    faults += await names.faults(tx, "name", new.name.strip())
    faults += await _faults(tx, new.role, new.centres)
    if faults:
        raise Invalid("The account cannot be made.", errors=faults)
    password, centres = _password(), _words(new.centres)
    account = AccountRow(
        new_id(),
        new.username,
        new.name.strip(),
        new.role.value,
        centres,
        await _hashed(password),
        "sv",
        True,
        tx.now,
        None,
    )
    await accounts.add(tx, account)
    tx.changed("account", account.id, "add", None, {"username": new.username, "role": new.role, "centres": centres})
    return password


async def change(tx: Transaction, username: str, wanted: AccountChange) -> str | None:
    """Changes an account; its sessions have the new role and centres from their next call on, and end with a new
    password. Answers that password, which can never be read again, or None. Raises NotFound where there is no open
    account, Invalid with each fault, Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    account = await _open(tx, username)
    centres = None if ALL in wanted.centres else wanted.centres
    faults = await names.faults(tx, "name", wanted.name.strip(), own=account.id) if wanted.name is not None else []
    faults += await _faults(tx, wanted.role or Role(account.role), centres if wanted.centres else None)
    if wanted == AccountChange():
        faults.append(FieldError("name", "required", "Say what is to be changed: name, role, centres or password."))
    if faults:
        raise Invalid("The account cannot be changed.", errors=faults)
    changes = {
        "name": wanted.name and wanted.name.strip(),
        "role": wanted.role,
        "centres": _words(centres) if wanted.centres else None,
    }
    after = {name: str(value) for name, value in changes.items() if value}
    if after:
        await accounts.change(tx, account.id, after)
        tx.changed("account", account.id, "change", {name: getattr(account, name) for name in after}, after)
    if not wanted.new_password:
        return None
    password = _password()
    await accounts.change_password(tx, account.id, await _hashed(password))
    tx.changed("account", account.id, "new-password", None, None)
    return password


async def disable(tx: Transaction, username: str) -> None:
    """Closes an account and ends its sessions at once. Raises NotFound where there is no open account, Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    account = await _open(tx, username)
    await accounts.disable(tx, account.id)
    tx.changed("account", account.id, "disable", None, None)


async def _open(tx: Transaction, username: str) -> AccountRow:
    account = await accounts.by_username(tx, username)
    if account is None or account.disabled_at is not None:
        raise NotFound("There is no open account with this user name; see: follow-up user list.")
    return account


async def _faults(tx: Transaction, role: Role, centres: frozenset[str] | None) -> list[FieldError]:
    faults = [FieldError("role", "unknown_role", "An account cannot have this role.")] if role not in ROLES else []
    if centres is not None and not (centres and centres <= await catalogue.centre_codes(tx)):
        faults.append(FieldError("centre", "unknown_centre", "There is no such centre."))
    return faults


def _words(centres: frozenset[str] | None) -> str:
    return ALL if centres is None else " ".join(sorted(centres))


def _password() -> str:
    return secrets.token_urlsafe(12)


async def every(tx: Transaction) -> list[dict[str, object]]:
    """Every account, closed ones too, without what is kept of its password. Raises Forbidden."""
    tx.actor.must(Act.MANAGE_ACCOUNTS)
    columns = ("id", "username", "name", "role", "centres", "created_at", "disabled_at")
    return [{name: getattr(row, name) for name in columns} for row in await accounts.every(tx)]


async def check(account: AccountRow | None, password: str) -> bool:
    """Whether the password is the account's; for none, or a closed one, False after the same work."""
    usable = account if account is not None and account.disabled_at is None else None
    hashed = usable.password_hash if usable else _NOBODYS
    right = await asyncio.get_running_loop().run_in_executor(_HASHING, _verified, hashed, password)
    return right and usable is not None


async def change_password(tx: Transaction, old: str, new: str) -> None:
    """Gives the caller's own account another password, of 12 characters or more, and ends its sessions, the one that
    asks too.

    Raises Invalid for the field `old_password` or `new_password`, NotFound for a caller without an account.
    """
    account = await accounts.by_id(tx, tx.actor.id)
    if account is None:
        raise NotFound("You have no account whose password could be changed.")
    faults = []
    if not await check(account, old):
        faults.append(FieldError("old_password", "wrong_password", "This is not your password."))
    if len(new) < SHORTEST:
        faults.append(FieldError("new_password", "too_short", f"A password has {SHORTEST} characters or more."))
    if faults:
        raise Invalid("The password cannot be changed.", errors=faults)
    await accounts.change_password(tx, account.id, await _hashed(new))
    tx.changed("account", account.id, "change-password", None, None)


async def _hashed(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_HASHING, _HASHER.hash, password)


def _verified(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except VerifyMismatchError:
        return False
