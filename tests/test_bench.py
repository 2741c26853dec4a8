"""The bench can measure all that it promises. How fast the service is, is no test: the machine is shared."""

import json
import subprocess
import sys
from itertools import chain, count
from pathlib import Path

import pytest

from app.db.columns import Keys
from bench import databases, people
from bench.measure import Round, in_turn

ROOT = Path(__file__).parents[1]
PROMISED = {
    "plan of one infusion",
    "due list of 50, PostgreSQL",
    "due list as a page, PostgreSQL",
    "feed polled at its end, 304",
    "feed, a page of 100 events, PostgreSQL",
    "one infusion with its visits, PostgreSQL",
    "one infusion with its visits, SQLite",
    "sweep of 100 newly overdue, PostgreSQL",
    "sweep of 100 newly overdue, SQLite",
}


@pytest.mark.proof
def test_every_figure_is_taken_beside_its_floor_and_has_its_goal(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--quick", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure for figure in json.loads(results.read_text())["figures"]}
    assert figures.keys() >= PROMISED
    assert all(figure["goal"] for figure in figures.values())
    assert all(
        figure["ratio"] is not None and figure["floor"] > 0
        for figure in figures.values()
        if figure["least_ratio"] is not None
    )
    alone = [name for name in figures if name not in PROMISED]
    assert [name.partition(" ")[0] for name in alone] == ["patients", "sweep,", "sweep,", "answers"]
    assert figures[alone[-1]]["value"] == 0, "no client and no worker is told that SQLite is locked"
    assert all(name in done.stdout for name in figures), "the table shows every figure"


async def test_sizes_and_floors_are_taken_in_turn_so_that_a_machine_that_slows_down_changes_no_ratio() -> None:
    taken: list[str] = []
    slower = count(1)

    def take(name: str, work: float) -> Round:
        async def one() -> float:
            taken.append(name)
            return work * (1 + next(slower) // 4)  # each round is slower than the one before

        return one

    pairs = [(take("small", 2.0), take("floor", 1.0)), (take("large", 3.0), None)]
    small, large = await in_turn(pairs, rounds=4)
    assert taken[:6] == ["small", "floor", "large", "large", "floor", "small"]
    assert small.growth is None
    assert small.ratio == pytest.approx(0.5, rel=0.3)
    assert large.growth == pytest.approx(1.5, rel=0.3)
    assert large.floor is None


def test_a_nation_is_filled_in_batches_with_parents_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "AT_ONCE", 50)
    keys = Keys.fresh()
    batches = list(databases.in_batches(people.nation(20, keys)))
    assert len(batches) > 5
    assert all(sum(len(rows) for _, rows in batch) <= 50 for batch in batches)
    rows = [(table, row) for table, group in chain.from_iterable(batches) for row in group]
    assert sum(table == "patients" for table, _ in rows) == 20
    there: set[object] = set()
    for table, row in rows:
        if table == "patients":
            there.add(row["id"])
        else:
            assert row["patient_id"] in there
