"""What holds for every file: its size, its lines, nothing left open, and nobody but the clock asks for the time."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.printing import ROOT, tracked

MOST_LINES, LONGEST_LINE = 450, 120
OF_TESTS = 525  # the plain model and its chooser tell one story each
CODE = tracked("app/*.py", "migrations/*.py", "tests/*.py", "bench/*.py")
LEFT_OPEN = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# Who asks for the day or the instant: both belong to app/clock.py, where a test and the demo can set them.
# time.monotonic measures, and may.
ASKING = {
    "date.today",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
}


def test_no_file_is_longer_than_a_room_should_be() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in CODE}
    most = {name: OF_TESTS if name.startswith("tests/") else MOST_LINES for name in lengths}
    assert {name: lines for name, lines in lengths.items() if lines > most[name]} == {}


def test_no_line_is_longer_than_a_screen() -> None:
    assert [
        f"{name}:{n}"
        for name in CODE
        for n, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if len(line) > LONGEST_LINE
    ] == []


def test_nothing_is_left_open() -> None:
    texts = tracked(
        "app", "migrations", "tests", "bench", "docs", "*.md", "Makefile", "Dockerfile", ".ci", "pyproject.toml"
    )
    found = [
        name
        for name in texts
        if not name.endswith((".csv", ".svg", ".png")) and LEFT_OPEN.search((ROOT / name).read_text())
    ]
    assert found == []


@pytest.mark.parametrize("name", [name for name in CODE if name.startswith("app/") and name != "app/clock.py"])
def test_nobody_asks_the_time_but_the_clock(name: str) -> None:
    assert list(_asking((ROOT / name).read_text())) == []


@pytest.mark.parametrize(
    "told", ["date.today()", "datetime.now(UTC)", "datetime.datetime.utcnow()", "time.time()", "key=date.today"]
)
def test_the_clock_is_missed_where_it_is_not_asked(told: str) -> None:
    assert list(_asking(f"f({told})"))


def _asking(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            name = ".".join(ast.unparse(node).split(".")[-2:])
            if name in ASKING:
                yield f"{name} in line {node.lineno}"


@pytest.mark.parametrize("name", [name for name in tracked("app/*.py") if (ROOT / name).read_text().strip()])
def test_every_file_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / name).read_text()))


def test_no_function_is_longer_than_one_reads_at_once() -> None:
    long = [
        f"{name}: {node.name}"
        for name in tracked("app/*.py")
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno >= 40
    ]
    assert long == []
