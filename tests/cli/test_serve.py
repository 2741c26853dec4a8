"""`follow-up serve` as a process: what it needs before it starts, and how it stops."""

import signal
from pathlib import Path

import httpx
import pytest

from tests import processes
from tests.cli.conftest import Run
from tests.processes import Forks, started


def get(address: str, path: str, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{address}{path}", headers=headers, trust_env=False, timeout=processes.PATIENCE)


def test_it_refuses_to_start_without_keys_and_says_how_to_make_them(
    forks: Forks, sqlite_url: str, tmp_path: Path
) -> None:
    done = forks.run("serve", env=processes.environment(database_url=sqlite_url), cwd=tmp_path)
    assert done.returncode == 1
    assert "follow-up keys new FILE" in done.stderr
    assert "FOLLOW_UP_KEY_FILE=FILE" in done.stderr


def test_it_refuses_keys_that_others_can_read(
    forks: Forks, env: dict[str, str], key_file: Path, tmp_path: Path
) -> None:
    key_file.chmod(0o640)
    done = forks.run("serve", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "chmod 600" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_on_loopback_and_leaves_one_whole_file(
    command: Run, env: dict[str, str], sqlite_url: str, tmp_path: Path, how: signal.Signals
) -> None:
    token = command("token", "add", "--name", "n", "--role", "nurse", "--centre", "lund").stdout.strip()
    with started("serve", "--port", 0, env=env, cwd=tmp_path) as service:
        address = service.said("Listening on").split()[-1]
        assert address.startswith("http://127.0.0.1:")
        assert get(address, "/readyz").status_code == 200
        assert get(address, "/api/v1/visits", token).status_code == 200
        assert get(address, "/api/v1/visits", "demo-nurse-lund").status_code == 401
        assert service.stop(how) == 0
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    assert [path.name for path in file.parent.glob(f"{file.name}*")] == [file.name]
    assert "Traceback" not in service.text


def test_a_port_in_use_is_one_line(forks: Forks, env: dict[str, str], tmp_path: Path) -> None:
    with started("serve", "--port", 0, env=env, cwd=tmp_path) as service:
        port = service.said("Listening on").rpartition(":")[2]
        done = forks.run("serve", "--port", port, env=env, cwd=tmp_path)
        assert service.stop() == 0
    assert done.returncode == 1
    assert done.stderr.startswith(f"follow-up: 127.0.0.1:{port} cannot be listened on")


def test_it_starts_without_a_migrated_database_and_is_not_ready(key_file: Path, tmp_path: Path) -> None:
    env = processes.environment(key_file=key_file, database_url=f"sqlite:///{tmp_path / 'none.db'}")
    with started("serve", "--port", 0, env=env, cwd=tmp_path) as service:
        address = service.said("Listening on").split()[-1]
        assert get(address, "/livez").status_code == 200
        assert get(address, "/readyz").status_code == 503
        assert service.stop() == 0


def test_its_day_is_the_one_it_was_given(env: dict[str, str], tmp_path: Path) -> None:
    with started(
        "serve", "--port", 0, "--today", "2031-03-01", env={**env, "FOLLOW_UP_DEMO_TOKENS": "1"}, cwd=tmp_path
    ) as service:
        assert "not for real patients" in service.said("Warning: FOLLOW_UP_DEMO_TOKENS is set.")
        address = service.said("Listening on").split()[-1]
        assert get(address, "/api/v1/visits", "demo-nurse-lund").json()["as_of_date"] == "2031-03-01"
        assert get(address, "/api/v1/demo/clock", "demo-nurse-lund").status_code == 404
        assert service.stop() == 0
