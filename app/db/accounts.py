"""Accounts of people: who they are, what they may, and a slow hash of their password. Not cut: who calls is found by
them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, insert, or_, select, update

from app.db.service_tables import accounts, sessions, tokens
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account; `centres` are codes separated by a space, `all` stands for every centre. Instants in UTC."""

    id: UUID
    username: str
    name: str
    role: str
    centres: str
    password_hash: str
    language: str
    single_keys: bool
    created_at: datetime
    disabled_at: datetime | None


async def add(tx: Transaction, account: AccountRow) -> None:
    """Stores a new account."""
    await tx.run(insert(accounts), asdict(account))


async def by_username(tx: Transaction, username: str) -> AccountRow | None:
    """The account, disabled or not."""
    row = await tx.first(select(accounts).where(accounts.c.username == username))
    return None if row is None else AccountRow(*row)


async def by_id(tx: Transaction, actor_id: str) -> AccountRow | None:
    """The account whose id the actor has; None for an actor without an account, whose id is no UUID."""
    try:
        account = UUID(actor_id)
    except ValueError:
        return None
    row = await tx.first(select(accounts).where(accounts.c.id == account))
    return None if row is None else AccountRow(*row)


async def every(tx: Transaction) -> list[AccountRow]:
    """Every account by username, disabled ones too."""
    return [AccountRow(*row) for row in await tx.all(select(accounts).order_by(accounts.c.username))]


async def is_borne(tx: Transaction, name: str, but: UUID | None) -> bool:
    """Whether a token, or an account other than `but`, bears the name, be it as its user name or as its name."""
    others = or_(accounts.c.username == name, accounts.c.name == name) & (accounts.c.id != but if but else True)
    return bool(await tx.scalar(select(exists().where(tokens.c.name == name) | exists().where(others))))


async def disable(tx: Transaction, account: UUID) -> None:
    """Closes an account and ends its sessions."""
    await change(tx, account, {"disabled_at": tx.now})
    await _end_sessions(tx, account)


async def change(tx: Transaction, account: UUID, values: Mapping[str, object]) -> None:
    """Gives an account other values of these columns."""
    await tx.run(update(accounts).where(accounts.c.id == account).values(**values))


async def change_password(tx: Transaction, account: UUID, password_hash: str) -> None:
    """Stores another hash and ends the account's sessions."""
    await change(tx, account, {"password_hash": password_hash})
    await _end_sessions(tx, account)


async def _end_sessions(tx: Transaction, account: UUID) -> None:
    await tx.run(
        update(sessions).where(sessions.c.account_id == account, sessions.c.ended_at.is_(None)).values(ended_at=tx.now)
    )


async def keep_choices(tx: Transaction, account: UUID, language: str, single_keys: bool) -> None:
    """Keeps what later sessions begin with."""
    await change(tx, account, {"language": language, "single_keys": single_keys})
