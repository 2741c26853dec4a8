"""Backups of PostgreSQL by its own tools: `pg_dump`, `pg_restore` and `psql`, which must be at hand and not older than
the server."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

import psycopg
from sqlalchemy.engine import make_url

from app.errors import FollowUpError, Invalid, Unavailable

HOW: Final = (
    "Install PostgreSQL's client programs of the server's version; or, on a machine that has them: pg_dump -Fc, "
    "pg_restore,"
    " and then follow-up feed bump-epoch."
)
COPY: Final = re.compile(rb"COPY (?:public\.)?\"?([a-z_]+)\"? .*FROM stdin;\n")
Rows = Mapping[str, int]


class NoTools(FollowUpError):
    """PostgreSQL's client programs are not at hand."""

    code = "no_tools"


class ToolFailed(FollowUpError):
    """One of PostgreSQL's client programs has failed."""

    code = "tool_failed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A database before a restore: whether it holds data, the feed's epoch (0: none), and how many connections of the
    service are open."""

    is_empty: bool
    epoch: int
    others: int


def standing(url: str, of_people: Sequence[str]) -> Standing:
    """How a database stands; `of_people`: the tables that only people and systems fill. Raises Unavailable."""
    with _connected(url) as connection:
        there = _there(connection)
        asked = [f"SELECT 1 FROM {name} LIMIT 1" for name in of_people if name in there]  # noqa: S608 - our names
        used = any(connection.execute(statement.encode()).fetchone() for statement in asked)
        row = connection.execute("SELECT epoch FROM feed_head").fetchone() if "feed_head" in there else None
        others = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = "
            "'follow-up' AND pid <> pg_backend_pid()"
        ).fetchone()
        return Standing(not used, row[0] if row else 0, others[0] if others else 0)


def write(url: str, file: Path, tables: Sequence[str]) -> tuple[str, Rows]:
    """Dumps our tables, of one snapshot; the dump is read through and counted against it. Answers schema and rows.
    Raises NoTools, Unavailable."""
    with _connected(url) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = str((connection.execute("SELECT pg_export_snapshot()").fetchone() or [""])[0])
        there = _there(connection)
        if not {"alembic_version", "feed_head"} <= there:
            raise Invalid("The database is none of this service; nothing was written.")
        counts = {name: _count(connection, name) for name in tables if name in there}
        chosen = [f"--table=public.{name}" for name in counts]
        words = [
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--file={file}",
            *chosen,
        ]
        _ran(subprocess.run([_tool("pg_dump"), *words, *_where(url)], env=_env(url), capture_output=True, check=False))
    seen = _Seen()
    with _script(file) as script:
        for line in script:
            seen.take(line)
    if dict(seen.rows) | {name: 0 for name in counts if name not in seen.rows} != counts:
        raise ToolFailed("The dump does not hold what was read; nothing was kept of it.")
    return seen.schema, counts


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608 - our names
    return int(row[0]) if row else 0


def restore(url: str, file: Path, tables: Sequence[str], epoch: int) -> tuple[str, Rows]:
    """Puts a dump in the place of our tables, and the feed's epoch to `epoch` or one above the dump's: one transaction,
    all of it or nothing. Answers the dump's schema and rows. Raises NoTools, ToolFailed."""
    seen = _Seen()
    words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
    with subprocess.Popen(
        [_tool("psql"), *words, *_where(url)],
        env=_env(url),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as psql:
        assert psql.stdin is not None
        try:
            # It ends with a COMMIT of our own: psql's --single-transaction would commit whatever came before the end of
            # its input, and so the half of a restore whose process was killed.
            psql.stdin.write(
                b"BEGIN;\n" + "".join(f"DROP TABLE IF EXISTS public.{name} CASCADE;\n" for name in tables).encode()
            )
            with _script(file) as script:
                for line in script:
                    seen.take(line)
                    psql.stdin.write(line)
            psql.stdin.write(b"UPDATE public.feed_head SET epoch = greatest(epoch + 1, %d);\nCOMMIT;\n" % epoch)
            psql.stdin.close()
        except BrokenPipeError:  # it has ended with an error, which it tells
            with suppress(BrokenPipeError):
                psql.stdin.close()
        except BaseException:
            psql.kill()  # without the end of its input nothing is committed
            raise
        errors = psql.stderr.read() if psql.stderr else b""
        _ran(subprocess.CompletedProcess(["psql"], psql.wait(), b"", errors))
    return seen.schema, dict(seen.rows)


class _Seen:
    """Counts the rows of a script of pg_restore as its lines go by."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.schema = ""
        self._table: str | None = None

    def take(self, line: bytes) -> None:
        if self._table is None:
            if found := COPY.fullmatch(line):
                self._table = found[1].decode()
                self.rows[self._table] += 0
        elif line == b"\\.\n":
            self._table = None
        else:
            self.rows[self._table] += 1
            if self._table == "alembic_version":
                self.schema = line.decode().strip()


@contextmanager
def _script(file: Path) -> Iterator[IO[bytes]]:
    """The SQL of a dump, line by line. Raises ToolFailed when the dump is not whole."""
    words = ["--no-owner", "--no-privileges", "--file=-", str(file)]
    with subprocess.Popen([_tool("pg_restore"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        yield run.stdout
        errors = run.stderr.read() if run.stderr else b""
        _ran(subprocess.CompletedProcess(["pg_restore"], run.wait(), b"", errors))


def _ran(done: subprocess.CompletedProcess[bytes]) -> None:
    if done.returncode:
        first = done.stderr.decode(errors="replace").strip().splitlines()[:1]  # what follows may quote a row
        raise ToolFailed(f"{Path(str(done.args[0])).name} has failed: {first[0] if first else done.returncode}. {HOW}")


def _tool(name: str) -> str:
    """The newest program of that name: on PATH, or where Debian keeps those of each version."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
        key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0,
    )
    found = shutil.which(name) or (str(versions[-1]) if versions else None)
    if found is None:
        _no_tools(name)
    return found


def _no_tools(name: str) -> NoReturn:
    raise NoTools(f"{name} is not at hand. {HOW}")


def _where(url: str) -> list[str]:
    """The database's address for PostgreSQL's programs; its password goes by the environment, where nobody reads it in
    a list of processes."""
    plain = make_url(url).set(drivername="postgresql", password=None)
    return [f"--dbname={plain.render_as_string(hide_password=False)}"]


def _env(url: str) -> dict[str, str]:
    password = make_url(url).password
    return {**os.environ, "LC_ALL": "C", **({"PGPASSWORD": str(password)} if password else {})}


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError:
        raise Unavailable("The database does not answer.") from None


def _there(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
