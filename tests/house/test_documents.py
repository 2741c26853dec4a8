"""The documents say what the code does: what code prints stands there as printed, and what is written by hand names all
there is."""

import re
import tomllib
from itertools import takewhile

import pytest

from app.db import service_tables
from app.settings import Settings
from tests.api.conftest import Service
from tests.house.printing import PRINTED, ROOT, floors, part, tracked
from tests.house.routes import routes

DECISION = re.compile(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md")


def _text(path: str) -> str:
    return (ROOT / path).read_text()


def _first_column(path: str, head: str) -> set[str]:
    """The words in backquotes in the first column of the table whose head begins so."""
    rows = _text(path).partition(f"\n| {head} |")[2].splitlines()[2:]
    return {
        word
        for row in takewhile(lambda row: row.startswith("|"), rows)
        for word in re.findall(r"`([^`]+)`", row.split("|")[1])
    }


@pytest.mark.parametrize("name", PRINTED)
def test_a_printed_part_is_as_the_code_prints_it(name: str) -> None:
    path, printed = PRINTED[name]
    stands = [m[2] for m in part(name).finditer(_text(path))]
    assert stands == [printed() + "\n"], f"{path}: run `python -m tests.house.printing`"


def test_the_rooms_are_those_of_the_tree() -> None:
    assert _first_column("docs/architecture.md", "room") == {room for floor in floors() for room in floor}


def test_the_drawing_has_every_file() -> None:
    drawn = part("rooms").findall(_text("docs/architecture.md"))[0][1]
    files = [name for name in tracked("app") if not name.endswith("/__init__.py")]
    named = [line.split()[0] for line in drawn.splitlines() if not line.startswith(("```", "---"))]
    assert len([name for name in named if not name.endswith("/")]) == len(files)
    assert {name.rpartition("/")[2] for name in files} <= {name.rpartition("/")[2] for name in named}


def test_every_table_is_told() -> None:
    assert _first_column("docs/architecture.md", "table") == set(service_tables.metadata.tables)


def test_every_dependency_is_told() -> None:
    declared = tomllib.loads(_text("pyproject.toml"))["project"]["dependencies"]
    names = {re.match(r"[a-z0-9-]+", line)[0] for line in declared}  # type: ignore[index]
    assert _first_column("docs/architecture.md", "package") == names


def test_every_setting_is_told() -> None:
    prefix = str(Settings.model_config["env_prefix"])
    assert _first_column("docs/operations.md", "variable") == {prefix + name.upper() for name in Settings.model_fields}


async def test_every_address_of_the_openapi_document_is_told_and_none_besides(service: Service) -> None:
    document = (await service.get("/openapi.json", api="", token=None)).json()
    told = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert told == {(route.method, route.path) for route in routes()}
    stand = {tuple(line.split(" ")) for line in _first_column("docs/interface.md", "address (under `/api/v1`)")}
    assert stand == {(method, path.removeprefix("/api/v1")) for method, path in told}


def test_every_decision_has_a_number_of_its_own_and_its_four_parts() -> None:
    found = [DECISION.fullmatch(name) for name in tracked("docs/decisions")]
    assert len({m[1] for m in found if m}) == len(found)
    for m in found:
        assert m is not None
        text = _text(m[0])
        assert len(text.split()) < 450, f"{m[0]} is longer than half a page"
        for heading in ("## Context", "## Options", "## Decision", "## What would change it"):
            assert heading in text, m[0]


@pytest.mark.parametrize("path", tracked("docs/*.md", "*.md"))
def test_a_link_leads_somewhere(path: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", _text(path)):
        assert ((ROOT / path).parent / target).exists(), target


async def test_every_metric_is_told(service: Service) -> None:
    told = (await service.get("/metrics", api="", token=None)).text
    names = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE follow_up_")}
    assert _first_column("docs/operations.md", "metric") == {name for name in names if not name.endswith("_created")}
