"""The two clients of docs/clients.md, as they are printed, against a real service: nothing missed, nothing twice."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.processes import ROOT, Forks

FILES = dict(
    re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", (ROOT / "docs/clients.md").read_text(), re.DOTALL)
)
NUMBERS = ("19811228-9874", "198005229821")


@dataclass
class Site:
    """A service, its command, and the clients of one hospital system."""

    forks: Forks
    env: dict[str, str]
    folder: Path
    address: str
    token: str

    def command(self, *words: object) -> str:
        done = self.forks.run(*words, env=self.env, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def client(self, name: str, *words: object) -> tuple[int, str]:
        """How the client ended, and what it printed."""
        (self.folder / name).write_text(FILES[name])
        env = {"FOLLOW_UP": self.address, "TOKEN": self.token, "PATH": os.environ["PATH"]}
        command = [sys.executable, name, *map(str, words)]
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout

    def polled(self) -> list[dict[str, Any]]:
        code, said = self.client("poll.py", "--once")
        assert code == 0
        return [json.loads(line) for line in said.splitlines()]

    def upload(self, *infusions: dict[str, Any]) -> tuple[int, str]:
        (self.folder / "infusions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in infusions))
        return self.client("upload.py", "infusions.jsonl")


@pytest.fixture
def site(forks: Forks, env: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    env = env | {"FOLLOW_UP_SWEEP_MINUTES": "1440"}
    scopes = [part for scope in ("alerts:read", "infusions:write") for part in ("--scope", scope)]
    made = forks.run(
        "token",
        "add",
        "--name",
        "ehr-lund",
        "--role",
        "integration",
        "--centre",
        "lund",
        *scopes,
        env=env,
        cwd=tmp_path,
    )
    with processes.started("serve", "--port", 0, "--today", "2021-06-01", env=env, cwd=tmp_path) as service:
        address = service.said("Listening on").split()[-1]
        yield Site(forks, env, tmp_path, address, made.stdout.strip())
        assert service.stop() == 0


def infusion(n: int, **changed: object) -> dict[str, Any]:
    person = {"identifiers": [{"system": "personnummer", "value": NUMBERS[n]}], "name": "Test Testsson"}
    source = {"system": "ehr-lund", "id": f"proc-{n}"}
    told = {
        "patient": person,
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "source": source,
    }
    return told | {"infused_on": "2021-05-04"} | changed


def test_each_client_is_shorter_than_forty_lines_of_code() -> None:
    assert {name: sum(bool(line.strip()) for line in text.splitlines()) < 40 for name, text in FILES.items()} == {
        "poll.py": True,
        "upload.py": True,
    }


def test_the_uploader_repeats_and_corrects(site: Site) -> None:
    first = site.upload(infusion(0), infusion(1))
    again = site.upload(infusion(0, infused_on="2021-05-03", batch="B7"), infusion(1))
    assert [line.split()[:2] for line in first[1].splitlines()] == [["1", "201"], ["2", "201"]]
    assert [line.split()[:2] for line in again[1].splitlines()] == [["1", "200"], ["2", "200"]]
    assert {line.split()[2] for line in first[1].splitlines()} == {line.split()[2] for line in again[1].splitlines()}
    assert (first[0], again[0]) == (0, 0)
    refused = site.upload(infusion(0, infused_on="2031-05-03"))
    assert refused[0] == 1
    assert "date_in_future" in refused[1]


def test_the_poller_survives_a_restart_and_another_epoch(site: Site) -> None:
    site.upload(infusion(0), infusion(1))
    assert site.polled() == []
    site.command("sweep", "--today", "2023-01-01")
    first, again = site.polled(), site.polled()
    assert [event["type"] for event in first] == ["visit.overdue"] * 4
    assert again == []
    site.command("sweep", "--today", "2024-01-01")
    second = site.polled()
    assert {event["id"] for event in first}.isdisjoint(event["id"] for event in second)
    assert [event["seq"] for event in first + second] == [1, 2, 3, 4, 5, 6]
    site.command("feed", "bump-epoch")
    assert [event["type"] for event in site.polled()] == ["snapshot"] * 6
    site.command("sweep", "--today", "2025-01-01")
    assert [event["seq"] for event in site.polled()] == [7, 8]
