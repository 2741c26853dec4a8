"""API tokens at rest: the id in clear, the secret as a hash only."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, or_, select, update

from app.db.service_tables import tokens
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token; `centres` and `scopes` are words separated by a space, `all` stands for every centre. Instants in
    UTC."""

    id: str
    name: str
    secret_hash: str
    role: str
    centres: str
    scopes: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime


async def add(tx: Transaction, token: TokenRow) -> None:
    """Stores a new token."""
    await tx.run(insert(tokens), asdict(token))


async def by_id(tx: Transaction, token_id: str) -> TokenRow | None:
    """The token, revoked or not. Not cut: who calls is found by it."""
    row = await tx.first(select(tokens).where(tokens.c.id == token_id))
    return None if row is None else TokenRow(*row)


async def every(tx: Transaction) -> list[TokenRow]:
    """Every token by name, revoked ones too. Not cut: for those who manage accounts."""
    return [TokenRow(*row) for row in await tx.all(select(tokens).order_by(tokens.c.name, tokens.c.id))]


async def revoke(tx: Transaction, token_id: str) -> bool:
    """Marks a token as revoked; False when there is none, or it was revoked before."""
    standing = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    return await tx.run(standing.values(revoked_at=tx.now)) == 1


async def renew(tx: Transaction, token_id: str, secret_hash: str, expires_at: datetime) -> bool:
    """Gives a token another secret and another end; False when there is none, or it is revoked."""
    standing = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    return await tx.run(standing.values(secret_hash=secret_hash, expires_at=expires_at)) == 1


async def used(tx: Transaction, token_id: str, before: datetime) -> None:
    """Notes that the token is in use, unless that was noted since `before`."""
    long_ago = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < before)
    await tx.note(update(tokens).where(tokens.c.id == token_id, long_ago).values(last_used_at=tx.now))
