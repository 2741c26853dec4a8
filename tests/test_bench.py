"""The bench can measure all that it promises. How fast the service is, is no test: the machine is shared."""

import json
import subprocess
import sys
from pathlib import Path

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
    assert [name.partition(" ")[0] for name in alone] == ["sweep,", "sweep,", "answers"]
    assert figures[alone[-1]]["value"] == 0, "no client and no worker is told that SQLite is locked"
    assert all(name in done.stdout for name in figures), "the table shows every figure"
