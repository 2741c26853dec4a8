"""What a token or an account is called: a name that nobody else bears, so that a reader of the logs takes nobody for
another."""

from typing import Final
from uuid import UUID

from app.db import accounts
from app.db.transaction import Transaction
from app.errors import FieldError
from app.identifiers import stands_in

LONGEST: Final = 200
# How the command line, the worker and the demo are called in the logs.
_RESERVED, _RESERVED_BEGINNINGS = frozenset({"worker", "demo"}), ("operator:", "demo-")


async def faults(tx: Transaction, field: str, name: str, *, own: UUID | None = None) -> list[FieldError]:
    """What is wrong with the name of a token, or a user name or name of an account (`own`: which may keep what it
    has)."""
    if not name or len(name) > LONGEST or not name.isprintable():
        return [FieldError(field, "bad_format", f"A name has 1 to {LONGEST} characters that can be seen.")]
    if stands_in(name):
        return [FieldError(field, "looks_like_a_number", "A personal number must not stand in a name.")]
    if name in _RESERVED or name.startswith(_RESERVED_BEGINNINGS):
        return [FieldError(field, "reserved", "This name is the service's own; choose another one.")]
    if await accounts.is_borne(tx, name, own):
        return [
            FieldError(
                field,
                "taken",
                "This name is borne already, perhaps by a closed account or a revoked token; add what tells them "
                "apart.",
            )
        ]
    return []
