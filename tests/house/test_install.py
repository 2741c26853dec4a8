"""docs/install.md and deploy/ name nothing that is not there; the two roles of PostgreSQL suffice and may no more."""

import asyncio
import configparser
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from typer.main import get_command

from app.actor import Actor, Role
from app.cli import commands
from app.clock import Clock
from app.db import transaction
from app.db.columns import Keys
from app.db.engine import Database
from app.db.migrate import migrate
from app.db.state import NEWEST_SCHEMA
from app.followup import batches, due_list, recording
from app.followup.commands import Ask
from app.followup.due_list import DueFilter
from app.followup.infusion_fields import NewInfusion
from app.settings import Settings
from tests.databases import own_server
from tests.house.printing import ROOT

PAGE = (ROOT / "docs/install.md").read_text()
DEPLOY = {file.name: file.read_text() for file in sorted((ROOT / "deploy").iterdir())}
COMPOSE = (ROOT / "compose.yaml").read_text()
EVERYTHING = "\n".join([PAGE, COMPOSE, *DEPLOY.values()])
NURSE = Actor("Karin N", Role.NURSE, frozenset({"lund"}), unit="lund", id="karin")


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(r"FOLLOW_UP_[A-Z_]+", EVERYTHING))
    assert named <= {f"FOLLOW_UP_{name.upper()}" for name in Settings.model_fields}
    assert len(named) >= 4


def test_every_command_that_is_typed_is_one_with_its_options() -> None:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    calls = re.findall(r"(?:bin/follow-up|migrate follow-up|serve follow-up) ([^\n|;]+)", blocks + "\n" + EVERYTHING)
    assert len(calls) > 10
    for call in calls:
        _check_call(call.split())


def _check_call(words: list[str]) -> None:
    command = get_command(commands)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands") or words[0] == "--version", words
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.strip("'\"") for word in words if word.startswith("--")} <= options, words


def test_every_file_of_deploy_is_used_and_every_one_that_is_named_is_there() -> None:
    named = set(re.findall(r"deploy/([a-z.-]+\.[a-z]+)", PAGE))
    assert named <= DEPLOY.keys()
    units = {name for name in DEPLOY if name.endswith((".service", ".timer"))}
    assert named | units == DEPLOY.keys(), "and units are copied by their pattern"
    assert "deploy/follow-up-*.service deploy/follow-up-*.timer" in PAGE


def test_the_rules_ask_for_figures_that_are_given() -> None:
    known = set(re.findall(r"`(follow_up_[a-z_]+)`", (ROOT / "docs/operations.md").read_text()))
    asked = {name.removesuffix("_count") for name in re.findall(r"follow_up_[a-z_]+", DEPLOY["alerts.yml"])}
    assert asked <= known


@pytest.mark.parametrize("name", [name for name in DEPLOY if name.endswith(".service")])
def test_a_unit_runs_as_its_own_user_and_may_write_its_own_folder_only(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(DEPLOY[name])
    service = dict(unit["Service"])
    assert service["User"] == "follow-up"
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    assert service["ReadWritePaths"] == "/var/lib/follow-up"


def test_the_schema_on_the_page_is_the_newest() -> None:
    assert set(re.findall(r"schema (\d{4})", PAGE)) == {NEWEST_SCHEMA}


@pytest.fixture(scope="module")
def roles() -> Iterator[tuple[str, str]]:
    """Addresses of the owner and of the service's role, on a server where the files of deploy/ were run."""
    with own_server() as server:
        yield _prepared(server.start(durable=False, owner=os.getpid()))


def _prepared(url: str) -> tuple[str, str]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE follow_up")
    at = url.partition("@")[2].partition("/")[0]
    with psycopg.connect(f"postgresql://postgres@{at}/follow_up", autocommit=True) as connection:
        _run(connection, DEPLOY["roles.sql"].replace(":'owner'", "'o'").replace(":'app'", "'a'"))
    owner = f"postgresql://follow_up_owner@{at}/follow_up"
    asyncio.run(migrate(owner))
    with psycopg.connect(owner, autocommit=True) as connection:
        _run(connection, DEPLOY["after-migrate.sql"])
    return owner, f"postgresql://follow_up_app@{at}/follow_up"


def _run(connection: psycopg.Connection[tuple[object, ...]], text: str) -> None:
    statements = re.sub(r"--[^\n]*", "", text).split(";")
    for statement in filter(str.strip, statements):
        connection.execute(statement.encode())


async def test_the_services_role_is_enough_for_its_work(roles: tuple[str, str], tmp_path: Path) -> None:
    db = Database(roles[1], Keys.make(tmp_path / "keys"))
    person = {"identifiers": [{"system": "personnummer", "value": "19811228-9874"}], "name": "Test Testsson"}
    new = {"patient": person, "centre": "lund", "product": "axicabtagene-ciloleucel", "context": "SOC"}
    try:
        async with transaction.begin(db, NURSE, Clock(fixed=date(2020, 3, 5))) as tx:
            told = await recording.record(tx, NewInfusion.model_validate(new | {"infused_on": "2020-03-04"}))
        assert len(told.infusion["visits"]) == 16
        assert await batches.sweep(db, Clock(fixed=date(2026, 11, 23))) > 0
        async with transaction.begin(db, NURSE, Clock(fixed=date(2026, 11, 23)), writing=False) as tx:
            assert (await due_list.due(tx, DueFilter(), Ask(50, tx.today))).items
    finally:
        await db.close()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM visits", "DROP TABLE visits", "TRUNCATE history", "CREATE TABLE x ()"]
)
def test_the_services_role_removes_nothing_and_changes_no_table(roles: tuple[str, str], statement: str) -> None:
    with psycopg.connect(roles[1]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_rows_are_removed_from_the_kept_forms_only(roles: tuple[str, str]) -> None:
    with psycopg.connect(roles[1]) as connection:
        tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        names = [row[0] for row in connection.execute(tables)]
        allowed = "SELECT has_table_privilege(%s, 'DELETE')"
        may = {name for name in names if connection.execute(allowed, [name]).fetchone() == (True,)}
    removed = set()
    for file in (ROOT / "app" / "db").glob("*.py"):
        removed |= set(re.findall(r"\bdelete\((?:tables\.)?(\w+)\)", file.read_text()))
    assert may == removed == {"kept_forms"}
