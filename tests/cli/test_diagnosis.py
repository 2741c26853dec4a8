"""A database that cannot be used: commands say what is wrong with it and what to type next, and never the password."""

import asyncio
import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from app.db.migrate import migrate
from tests import processes
from tests.databases import own_server
from tests.processes import Forks

SECRET = "corr3ct-h0rse"
ROLES = f"""
CREATE ROLE nurse LOGIN PASSWORD '{SECRET}';
CREATE ROLE tls LOGIN PASSWORD '{SECRET}';
CREATE ROLE crowded LOGIN CONNECTION LIMIT 0;
CREATE ROLE stranger LOGIN;
CREATE DATABASE follow_up;
"""
HBA = """
host all nurse 127.0.0.1/32 scram-sha-256
hostssl all tls 127.0.0.1/32 scram-sha-256
host all tls 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
local all all trust
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """`host:port` of a server that asks for passwords, with a migrated database follow_up."""
    with own_server() as started:
        url = started.start(durable=False, owner=os.getpid())
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in filter(str.strip, ROLES.split(";")):
                connection.execute(statement.encode())
            (started.data / "pg_hba.conf").write_text(HBA)
            connection.execute("SELECT pg_reload_conf()")
        yield url.partition("@")[2].partition("/")[0]


@pytest.fixture(scope="module")
def migrated(server: str) -> str:
    url = f"postgresql://postgres@{server}/follow_up"
    asyncio.run(migrate(url))
    return url


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


CASES = {
    "wrong_password": ("nurse:{secret}x@{server}/follow_up", "ALTER ROLE nurse"),
    "no_such_role": ("nobody_here@{server}/follow_up", "CREATE ROLE nobody_here"),
    "no_such_database": ("postgres@{server}/elsewhere", "createdb"),
    "closed_port": ("postgres:{secret}@127.0.0.1:{closed}/follow_up", "Start PostgreSQL there"),
    "unknown_host": ("postgres:{secret}@no-such-host.invalid:5432/follow_up", "right name"),
    "tls_refused": ("postgres@{server}/follow_up?sslmode=require", "sslmode"),
    "too_many_connections": ("crowded@{server}/follow_up", "CONNECTION LIMIT"),
    "no_rights": ("stranger@{server}/follow_up", "GRANT SELECT, INSERT, UPDATE"),
}


@pytest.mark.parametrize("code", CASES)
def test_what_is_wrong_with_postgresql_is_said_with_what_to_type_next(
    forks: Forks, key_file: Path, migrated: str, server: str, tmp_path: Path, code: str
) -> None:
    address, remedy = CASES[code]
    address = address.format(secret=SECRET, server=server, closed=closed_port())
    env = processes.environment(key_file=key_file, database_url=f"postgresql://{address}")
    done = forks.run("feed", "head", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert remedy in done.stderr
    looked = forks.run("doctor", "--json", env=env, cwd=tmp_path)
    assert [(c["name"], c["code"]) for c in json.loads(looked.stdout) if not c["well"]] == [("database", code)]
    assert SECRET not in done.stderr + looked.stdout + looked.stderr


def test_a_role_that_must_come_by_tls_is_told_so(forks: Forks, key_file: Path, server: str, tmp_path: Path) -> None:
    env = processes.environment(key_file=key_file, database_url=f"postgresql://tls:{SECRET}@{server}/follow_up")
    done = forks.run("doctor", "--json", env=env, cwd=tmp_path)
    (wrong,) = [c for c in json.loads(done.stdout) if not c["well"]]
    assert wrong["code"] in ("tls_required", "not_from_here")
    assert SECRET not in done.stdout + done.stderr


def test_who_may_not_make_tables_is_told_how_to_migrate(
    forks: Forks, key_file: Path, server: str, tmp_path: Path
) -> None:
    env = processes.environment(key_file=key_file, database_url=f"postgresql://stranger@{server}/postgres")
    done = forks.run("migrate", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "GRANT CREATE ON SCHEMA public TO stranger" in done.stderr


def test_what_is_wrong_with_a_sqlite_file_is_said_with_what_to_type_next(
    forks: Forks, key_file: Path, tmp_path: Path
) -> None:
    letter, other = tmp_path / "letter.db", tmp_path / "other.db"
    letter.write_text("Dear colleague, " * 100)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    for file, code in ((letter, "not_a_database"), (other, "other_program"), (tmp_path, "not_a_file")):
        env = processes.environment(key_file=key_file, database_url=f"sqlite:///{file}")
        done = forks.run("doctor", "--json", env=env, cwd=tmp_path)
        (wrong,) = [c for c in json.loads(done.stdout) if not c["well"]]
        assert (wrong["name"], wrong["code"]) == ("database", code)
        assert str(file) in wrong["found"]
        assert wrong["remedy"]


def test_the_version_is_told(forks: Forks, tmp_path: Path) -> None:
    done = forks.run("--version", env=processes.environment(), cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, "follow-up")
