"""The bench can measure all that it promises. How fast the service is, is no test: the machine is shared."""

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from app.db.columns import Keys
from bench import databases, people
from bench.measure import Figure, growth

ROOT = Path(__file__).parents[1]
PROMISED = {
    "plan of one infusion",
    "due list of 50, PostgreSQL",
    "due list as a page, PostgreSQL",
    "feed polled at its end, 304",
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
    assert all(figure["ratio"] is not None and figure["floor"] > 0 for figure in figures.values() if figure["least_ratio"] is not None)
    alone = [name for name in figures if name not in PROMISED]
    assert [name.partition(" ")[0] for name in alone] == ["patients", "sweep,", "sweep,", "answers"]
    assert figures[alone[-1]]["value"] == 0, "no client and no worker is told that SQLite is locked"
    assert all(name in done.stdout for name in figures), "the table shows every figure"


def test_growth_is_from_the_smallest_to_the_largest_size_of_one_figure() -> None:
    small, middle, large = (Figure(f"sweep, nothing new beside {n:,} flagged, SQLite", f"{n:,}", 2.0 + n / 10_000, "ms") for n in (0, 5_000, 10_000))
    other = Figure("feed polled at its end, 304", "10,000", 1.0, "ms")
    figures = [small, middle, large, other]
    assert [growth(figure, figures) for figure in figures] == [None, None, 1.5, None]


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
