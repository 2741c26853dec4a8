"""A SQLite file that is being made, and that nobody else sees before it is whole: its speed is bought with what such a
file does not need."""

import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy import event

from app.db.engine import Database


def hasten(db: Database) -> None:
    """For a database without connections yet: nothing is forced to disk, and statements run on the caller's thread
    instead of waiting for another one's turn (the demo's history on a busy machine: 50 s instead of 102). Whoever gives
    the file its name forces it to disk first."""
    event.listen(
        db.write.sync_engine, "connect", lambda connection, _: connection.cursor().execute("PRAGMA synchronous=OFF")
    )
    event.listen(db.write.sync_engine, "do_connect", _on_this_thread)


def _on_this_thread(dialect: Any, record: Any, words: Any, options: dict[str, Any]) -> None:
    options["async_creator_fn"] = _connection


def _connection(database: str, **options: Any) -> aiosqlite.Connection:
    return _Here(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)


class _Here(aiosqlite.Connection):
    """Every call goes to the driver at once; the library's thread has nothing to do."""

    async def _execute(self, fn: Callable[..., Any], *words: Any, **options: Any) -> Any:
        return fn(*words, **options)

    async def _connect(self) -> aiosqlite.Connection:
        self._connection = self._connector()
        return self
