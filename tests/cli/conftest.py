"""A place for the command: a folder, keys, and a database of the test's own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.db.columns import Keys
from tests import processes
from tests.databases import made_once
from tests.processes import Ended, Forks, started

ROWS = (
    "personnummer,name,centre,product,context,indication,infused_on,discharged_on,batch,source_system,source_id\n"
    "19811228-9874,Test Testsson,lund,tisagenlecleucel,SOC,DLBCL,2020-01-10,2020-01-24,B1,paper,1\n"
)
Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Runs any command anywhere."""
    one = Forks(tmp_path_factory.mktemp("forks"))
    yield one
    one.close()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    Keys.make(tmp_path / "test.keys")
    return tmp_path / "test.keys"


@pytest.fixture
def env(key_file: Path, sqlite_url: str) -> dict[str, str]:
    """Settings of a migrated SQLite database."""
    return processes.environment(key_file=key_file, database_url=sqlite_url)


@pytest.fixture
def command(forks: Forks, env: dict[str, str], tmp_path: Path) -> Run:
    """Runs the command on that database."""

    def run(*words: object) -> Ended:
        return forks.run(*words, env=env, cwd=tmp_path)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of one infusion of January 2020."""
    file = tmp_path / "rows.csv"
    file.write_text(ROWS)
    return file


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A folder with the demo as it is filled for 2026-11-23: what takes the demo longest, done once a run."""
    return shutil.copytree(made_once("demo", _fill), tmp_path / "data")


def _fill(folder: Path) -> None:
    with started(
        "demo", "--port", 0, "--data", folder, "--today", "2026-11-23", env=processes.environment(), cwd=folder
    ) as demo:
        demo.said("Filling the demo")
        demo.said("Ctrl+C")
        assert demo.stop() == 0
