"""`follow-up demo` as a process: what it is filled with, what stays, and what it leaves alone."""

import csv
import json
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes
from tests.processes import Forks, Started, started

ENV = processes.environment()
SMALL = "2015-03-01"  # five infusions were given until then
HARMLESS = {"follow-up.db", "follow-up.keys", "follow-up.lock"}


def call(address: str, method: str, path: str, token: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return httpx.request(
        method, f"{address}/api/v1{path}", headers=headers, trust_env=False, timeout=processes.PATIENCE, **more
    )


def address_of(demo: Started) -> str:
    """Waits until the demo serves."""
    line = demo.said("Follow-up, the demo:")
    demo.said("Ctrl+C")
    return line.split()[-1]


def typed(line: str) -> bytes:
    """What a curl line gives as it is printed; where there is no curl, the same request."""
    if shutil.which("curl"):
        return subprocess.run(
            ["/bin/sh", "-c", line], capture_output=True, timeout=processes.PATIENCE, check=True
        ).stdout
    _, _, _, header, url = shlex.split(line)
    return httpx.get(url, headers=dict([header.split(": ", 1)]), trust_env=False).content


def demo_of(data: Path, *words: object) -> tuple[object, ...]:
    return ("demo", "--port", 0, "--data", data, *words)


def test_the_demo_shows_the_sample_with_its_history(filled: Path, tmp_path: Path) -> None:
    with started(*demo_of(filled), env=ENV, cwd=tmp_path) as demo:
        address = address_of(demo)
        answers = [json.loads(typed(line)) for line in demo.lines if line.startswith("curl")]
        assert len(answers) == 3
        due, feed, network = answers
        assert due["items"]
        assert feed["items"][0]["type"] == "visit.overdue"

        assert (network["infusions"], network["patients"], network["children"], network["reinfusions"]) == (
            304,
            297,
            13,
            7,
        )
        told = {(c["centre"], x["context"]): x["infusions"] for c in network["centres"] for x in c["by_context"]}
        small = {cell for cell, number in counted().items() if number < 5}
        assert {cell: number for cell, number in told.items() if number != "<5"}.items() <= counted().items()
        assert small <= {cell for cell, number in told.items() if number == "<5"}
        own = call(address, "GET", "/centres/uppsala/summary", "demo-nurse-uppsala").json()
        assert "uppsala ACT: 46 infusions of 45 patients" in own["unexplained"]
        assert network["completeness"]["percent"] > 80
        assert network["lost"] > 0
        assert network["followed_elsewhere"] == 1

        for centre in {centre for centre, _ in counted()}:
            assert call(address, "GET", "/visits", f"demo-nurse-{centre}").json()["items"], centre
        types = {
            e["type"]
            for e in call(address, "GET", "/alerts/events?after=0&limit=500", "demo-integration-all").json()["items"]
        }
        assert types >= {"visit.overdue", "alert.resolved", "alert.acknowledged"}
        assert httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
        first = call(
            address, "GET", "/infusions?source_system=national-list-2025&source_id=row-001", "demo-nurse-uppsala"
        ).json()["items"][0]
        assert (first["infused_on"], first["registered_on"], first["discharged_on"]) == (
            "2014-03-03",
            "2014-03-03",
            "2014-03-21",
        )
        assert demo.stop() == 0
    assert {path.name for path in filled.iterdir()} == HARMLESS
    assert "Traceback" not in demo.text


def counted() -> dict[tuple[str, str], int]:
    """Infusions by centre and context, as the network counted them: its list has the patients of a context, and 7 were
    infused again."""
    rows = csv.DictReader((processes.ROOT / "app" / "data" / "infusions-2025-09-08.csv").read_text().splitlines())
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row["centre"], row["context"]] = counts.get((row["centre"], row["context"]), 0) + 1
    return counts


def test_what_was_entered_stays_and_nothing_is_made_twice(tmp_path: Path) -> None:
    with started(*demo_of(tmp_path, "--today", SMALL), env=ENV, cwd=tmp_path) as demo:
        address = address_of(demo)
        before = call(address, "GET", "/network/summary", "demo-network").json()
        assert before["as_of_date"] == SMALL
        person = {"identifiers": [{"system": "personnummer", "value": "19811228-9874"}], "name": "Test Testsson"}
        new = {
            "patient": person,
            "centre": "lund",
            "product": "tisagenlecleucel",
            "context": "SOC",
            "infused_on": SMALL,
        }
        assert call(address, "POST", "/infusions", "demo-nurse-lund", json=new).status_code == 201
        assert demo.stop(signal.SIGINT) == 0
    with started(*demo_of(tmp_path), env=ENV, cwd=tmp_path) as demo:
        after = call(address_of(demo), "GET", "/network/summary", "demo-network").json()
        assert (after["infusions"], after["patients"]) == (before["infusions"] + 1, before["patients"] + 1)
        assert not any("Filling" in line for line in demo.lines)
        assert demo.stop() == 0


@pytest.mark.proof
def test_the_same_day_gives_the_same_history(tmp_path: Path) -> None:
    told = []
    for name in ("one", "other"):
        with started(*demo_of(tmp_path / name, "--today", SMALL), env=ENV, cwd=tmp_path) as demo:
            address = address_of(demo)
            summary = call(address, "GET", "/network/summary", "demo-network").json()
            rows = call(
                address, "GET", "/visits?state=planned,due,overdue,completed,missed&limit=500", "demo-integration-all"
            ).json()["items"]
            told.append(
                (summary, sorted((v["code"], v["window_end"], v["state"], str(v["completed_on"])) for v in rows))
            )
            assert demo.stop() == 0
    assert told[0] == told[1]
    assert told[0][1]


def test_the_day_is_moved_forward_and_stays_moved(forks: Forks, tmp_path: Path) -> None:
    later = date.fromisoformat(SMALL) + timedelta(days=900)
    with started(*demo_of(tmp_path, "--today", SMALL), env=ENV, cwd=tmp_path) as demo:
        address = address_of(demo)

        def move(day: date) -> httpx.Response:
            return call(address, "POST", "/demo/clock", "demo-nurse-lund", json={"today": day.isoformat()})

        assert call(address, "GET", "/demo/clock", "demo-admin").json() == {"today": SMALL}
        moved = move(later)
        assert (moved.status_code, moved.json()["today"]) == (200, later.isoformat())
        assert moved.json()["raised"] > 0
        assert move(later).json() == {"today": later.isoformat(), "raised": 0}
        assert move(later - timedelta(days=1)).status_code == 409
        overdue = call(address, "GET", "/visits?state=overdue&limit=500", "demo-integration-all").json()["items"]
        alerted = call(address, "GET", "/alerts?state=open,acknowledged&limit=500", "demo-integration-all").json()[
            "items"
        ]
        assert {visit["id"] for visit in overdue} == {alert["visit_id"] for alert in alerted}
        assert demo.stop() == 0
    with started(*demo_of(tmp_path), env=ENV, cwd=tmp_path) as demo:
        assert call(address_of(demo), "GET", "/demo/clock", "demo-admin").json() == {"today": later.isoformat()}
        assert demo.stop() == 0
    back = forks.run(*demo_of(tmp_path, "--today", later - timedelta(days=1)), env=ENV, cwd=tmp_path)
    assert (back.returncode, back.stdout) == (1, "")
    assert f"Today is {later} already" in back.stderr


def test_empty_is_without_infusions_and_fresh_begins_anew(tmp_path: Path) -> None:
    for words, infusions in (["--today", SMALL], True), (["--empty"], True), (["--fresh", "--empty"], False):
        with started(*demo_of(tmp_path, *words), env=ENV, cwd=tmp_path) as demo:
            address = address_of(demo)
            assert bool(call(address, "GET", "/network/summary", "demo-network").json()["infusions"]) is infusions
            assert len(call(address, "GET", "/centres", "demo-auditor").json()["items"]) == 7
            assert demo.stop() == 0


@pytest.mark.parametrize("words", [[], ["--fresh"]])
def test_a_database_without_its_mark_is_left_alone(forks: Forks, tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "follow-up.db"
    assert (
        forks.run("migrate", env=processes.environment(database_url=f"sqlite:///{file}"), cwd=tmp_path).returncode == 0
    )
    stood = file.read_bytes()
    assert forks.run("keys", "new", tmp_path / "follow-up.keys", env=ENV, cwd=tmp_path).returncode == 0
    done = forks.run(*demo_of(tmp_path, *words), env=ENV, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no demo's mark" in done.stderr
    assert file.read_bytes() == stood


@pytest.mark.proof
def test_a_demo_that_was_killed_while_it_was_filled_leaves_nothing_half(tmp_path: Path) -> None:
    with started(*demo_of(tmp_path), env=ENV, cwd=tmp_path) as demo:
        demo.said("Filling")
        demo.stop(signal.SIGKILL)
    assert not (tmp_path / "follow-up.db").exists()
    with started(*demo_of(tmp_path, "--today", SMALL), env=ENV, cwd=tmp_path) as demo:
        address_of(demo)
        assert demo.stop() == 0
    assert {path.name for path in tmp_path.iterdir()} == HARMLESS


def test_two_demos_do_not_share_a_directory_and_a_port_in_use_is_told(forks: Forks, tmp_path: Path) -> None:
    with started(*demo_of(tmp_path, "--empty"), env=ENV, cwd=tmp_path) as demo:
        port = address_of(demo).rpartition(":")[2]
        shared = forks.run(*demo_of(tmp_path, "--empty"), env=ENV, cwd=tmp_path)
        taken = forks.run("demo", "--port", port, "--data", tmp_path / "other", env=ENV, cwd=tmp_path)
        assert demo.stop() == 0
    assert (shared.returncode, taken.returncode) == (1, 1)
    assert "already" in shared.stderr
    assert "cannot be listened on" in taken.stderr
    assert not (tmp_path / "other").exists()


def test_the_demo_runs_on_a_given_database_and_refuses_to_empty_it(
    forks: Forks, make_database: Callable[..., str], tmp_path: Path
) -> None:
    env = processes.environment(database_url=make_database("postgresql", empty=True))
    for _ in range(2):
        with started(*demo_of(tmp_path, "--today", SMALL), env=env, cwd=tmp_path) as demo:
            assert call(address_of(demo), "GET", "/network/summary", "demo-network").json()["infusions"] == 5
            assert demo.stop() == 0
    fresh = forks.run(*demo_of(tmp_path, "--fresh"), env=env, cwd=tmp_path)
    assert fresh.returncode == 1
    assert "by its own tools" in fresh.stderr
    strange = processes.environment(database_url=make_database("postgresql"))
    assert "no demo's mark" in forks.run(*demo_of(tmp_path), env=strange, cwd=tmp_path).stderr
