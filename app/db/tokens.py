"""API tokens at rest: the id in clear, the secret as a hash only."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from app.db.service_tables import tokens
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token; `centres` and `scopes` are words separated by a space, `all` stands for every centre. Instants in UTC."""

    id: str
    name: str
    secret_hash: str
    role: str
    centres: str
    scopes: str
    created_at: datetime
    revoked_at: datetime | None


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
