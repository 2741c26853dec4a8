"""Sessions of browsers, found by the hash of the cookie's secret. Not cut: who calls is found by them."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from app.db.accounts import AccountRow
from app.db.service_tables import accounts, sessions
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session, of an account or on one of the demo's tokens. Instants in UTC."""

    id: str
    account_id: UUID | None
    demo_token: str | None
    language: str
    hide_names: bool
    single_keys: bool
    created_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None


async def add(tx: Transaction, session: SessionRow) -> None:
    """Stores a new session."""
    await tx.run(insert(sessions), asdict(session))


async def by_id(tx: Transaction, session: str) -> tuple[SessionRow, AccountRow | None] | None:
    """The session, ended or not, with its account."""
    own = len(sessions.c)
    row = await tx.first(
        select(sessions, accounts)
        .join(accounts, accounts.c.id == sessions.c.account_id, isouter=True)
        .where(sessions.c.id == session)
    )
    if row is None:
        return None
    return SessionRow(*row[:own]), AccountRow(*row[own:]) if row[own] is not None else None


async def seen(tx: Transaction, session: str) -> None:
    """Notes that the session is in use."""
    await tx.note(update(sessions).where(sessions.c.id == session).values(last_seen_at=tx.now))


async def choose(tx: Transaction, session: str, language: str, hide_names: bool, single_keys: bool) -> None:
    """Keeps what was chosen for the session."""
    await tx.run(
        update(sessions)
        .where(sessions.c.id == session)
        .values(language=language, hide_names=hide_names, single_keys=single_keys)
    )


async def end(tx: Transaction, session: str) -> None:
    """Ends the session for good."""
    await tx.run(
        update(sessions).where(sessions.c.id == session, sessions.c.ended_at.is_(None)).values(ended_at=tx.now)
    )
