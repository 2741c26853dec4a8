"""`follow-up worker` as a process, on both databases."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import processes
from tests.cli.conftest import ROWS
from tests.processes import Ended, Forks, started

Run = Callable[..., Ended]


@pytest.fixture
def env(key_file: Path, database_url: str) -> dict[str, str]:
    return processes.environment(key_file=key_file, database_url=database_url)


@pytest.fixture
def command(forks: Forks, env: dict[str, str], tmp_path: Path) -> Run:
    """Runs the command; one infusion of January 2020 has been entered in that month."""
    (tmp_path / "rows.csv").write_text(ROWS)
    assert forks.run("import", tmp_path / "rows.csv", "--today", "2020-01-25", env=env, cwd=tmp_path).returncode == 0
    return lambda *words: forks.run(*words, env=env, cwd=tmp_path)


def test_it_sweeps_as_it_starts_and_stops_when_asked(
    command: Run, env: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    with started("worker", "--today", "2022-06-01", env=env, cwd=tmp_path) as worker:
        told = json.loads(next(line for line in iter(lambda: worker.said("job.finished"), "") if '"sweep"' in line))
        assert (told["count"], told["today"]) == (3, "2022-06-01")  # W4, Y01, Y02
        assert worker.stop() == 0
    assert json.loads(command("feed", "head", "--json").stdout)["last_seq"] == 3
    if database_url.startswith("sqlite"):
        file = Path(database_url.removeprefix("sqlite:///"))
        assert [path.name for path in file.parent.glob(f"{file.name}*")] == [file.name]


def test_two_at_once_raise_nothing_twice(command: Run, env: dict[str, str], tmp_path: Path) -> None:
    words = ("worker", "--today", "2022-06-01")
    with started(*words, env=env, cwd=tmp_path) as one, started(*words, env=env, cwd=tmp_path) as other:
        for worker in (one, other):
            while '"sweep"' not in worker.said("job.finished"):
                pass
        assert (one.stop(), other.stop()) == (0, 0)
    assert json.loads(command("feed", "head", "--json").stdout)["last_seq"] == 3


def test_it_refuses_a_database_that_is_not_migrated(forks: Forks, key_file: Path, tmp_path: Path) -> None:
    env = processes.environment(key_file=key_file, database_url=f"sqlite:///{tmp_path / 'none.db'}")
    done = forks.run("worker", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "follow-up migrate" in done.stderr
