"""docs/install.md and deploy/ name nothing that is not there; the two roles of PostgreSQL suffice and may no more."""

import asyncio
import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
import yaml
from typer.main import get_command

from app.access import accounts
from app.access.accounts import NewAccount
from app.access.sessions import Sessions
from app.access.tokens import Tokens
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
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
DEPLOY = {file.name: file.read_text() for file in sorted((ROOT / "deploy").iterdir())}
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
EVERYTHING = "\n".join([PAGE, (ROOT / "compose.yaml").read_text(), *DEPLOY.values()])
UNITS = [name for name in DEPLOY if name.endswith(".service")]
NURSE = Actor("Karin N", Role.NURSE, frozenset({"lund"}), unit="lund", id="karin")
OPERATOR = Actor("operator:test", Role.OPERATOR, None, id="operator:test")
CALL = re.compile(r"(?:^|bin/|[\s(`'])follow-up ((?:--)?[a-z]+(?![\w./])[^\n|;&`]*)", re.MULTILINE)


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(r"FOLLOW_UP_[A-Z_]+", EVERYTHING))
    assert named <= {f"FOLLOW_UP_{name.upper()}" for name in Settings.model_fields}
    assert len(named) >= 4


def _calls() -> list[list[str]]:
    """Each call of the command on the page, in the units and in the alarms' remedies, as words."""
    units = "\n".join(line for name in UNITS for line in DEPLOY[name].splitlines() if line.startswith("ExecStart="))
    remedies = "\n".join(re.findall(r'summary: "(.*)"', DEPLOY["alerts.yml"]))
    told = "\n".join([BLOCKS, *re.findall(r"`(follow-up [^`]+)`", PAGE), units, remedies])
    return [[word.strip("'\")") for word in call.partition(" #")[0].split()] for call in CALL.findall(told)]


def test_every_command_that_is_typed_is_one_with_its_options() -> None:
    calls = _calls()
    assert {call[0] for call in calls} >= {
        "--version", "keys", "migrate", "serve", "worker", "user", "token", "backup", "restore", "doctor", "alerts",
        "feed",
    }  # fmt: skip
    for call in calls:
        _check_call(call)
    for service in ("migrate", "worker"):
        _check_call(COMPOSE["services"][service]["command"][1:])


def _check_call(words: list[str]) -> None:
    command, left = get_command(commands), list(words)
    while left and left[0] in getattr(command, "commands", {}):
        command = command.commands[left.pop(0)]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands") or left[0] == "--version", words
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in left if word.startswith("--")} <= options, words


def test_every_file_of_deploy_is_used_and_every_one_that_is_named_is_there() -> None:
    named = set(re.findall(r"deploy/([a-z.-]*[a-z])\b(?!-)", PAGE))
    assert named <= DEPLOY.keys()
    units = {name for name in DEPLOY if name.endswith((".service", ".timer"))}
    assert named | units == DEPLOY.keys(), "and units are copied by their pattern"
    assert "deploy/follow-up-*.service deploy/follow-up-*.timer" in BLOCKS


def test_the_rules_ask_for_figures_that_are_given() -> None:
    known = set(re.findall(r"`(follow_up_[a-z_]+)`", (ROOT / "docs/operations.md").read_text()))
    rules = [rule for group in yaml.safe_load(DEPLOY["alerts.yml"])["groups"] for rule in group["rules"]]
    asked = {name.removesuffix("_count") for rule in rules for name in re.findall(r"follow_up_[a-z_]+", rule["expr"])}
    assert asked <= known
    assert all(rule["annotations"]["summary"] for rule in rules)


def test_the_containers_wait_for_what_they_need_and_share_database_and_keys() -> None:
    services = COMPOSE["services"]
    assert services.keys() == {"database", "migrate", "serve", "worker"}
    for name in ("serve", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert services[name]["environment"] == services["migrate"]["environment"]
        assert services[name]["volumes"] == services["migrate"]["volumes"]
    assert services["serve"]["ports"] == ["127.0.0.1:8000:8000"]
    named = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert named == COMPOSE["volumes"].keys()


def _section(unit: str, section: str) -> dict[str, str]:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(DEPLOY[unit])
    return dict(parsed[section])


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_may_write_its_own_folder_only(name: str) -> None:
    service = _section(name, "Service")
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["PrivateTmp"]) == ("yes", "strict", "yes")
    assert service.get("ReadWritePaths", "/var/lib/follow-up") == "/var/lib/follow-up"


@pytest.mark.parametrize("name", UNITS)
def test_the_owners_password_is_read_for_migrations_alone_and_by_a_user_of_their_own(name: str) -> None:
    service = _section(name, "Service")
    alone = (service.get("User"), service.get("DynamicUser"), service["EnvironmentFile"])
    assert alone == (
        (None, "yes", "/etc/follow-up/owner.env")
        if name == "follow-up-migrate.service"
        else ("follow-up", None, "/etc/follow-up/follow-up.env")
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not at hand")
def test_systemd_knows_every_word_of_the_units(tmp_path: Path) -> None:
    for name in [*UNITS, "follow-up-backup.timer"]:
        # Here the programs are not where a site has them; all else is as it is.
        here = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", DEPLOY[name], flags=re.MULTILINE)
        (tmp_path / name).write_text(here)
    units = sorted(tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "follow-up" not in done.stderr


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
    grants = re.findall(r'--command="(.*?)"', DEPLOY["follow-up-migrate.service"])
    assert grants
    with psycopg.connect(owner, autocommit=True) as connection:
        _run(connection, ";".join(grants))
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


async def test_the_services_role_is_enough_for_accounts_and_sessions(roles: tuple[str, str], tmp_path: Path) -> None:
    db, clock = Database(roles[1], Keys.make(tmp_path / "keys")), Clock()
    sessions = Sessions(db, clock, Tokens(db, clock, demo=False))
    try:
        async with transaction.begin(db, OPERATOR, clock) as tx:
            new = NewAccount("anna.b", "Anna B", Role.NURSE, frozenset({"lund"}))
            password = await accounts.add(tx, new)
        secret = await sessions.log_in("anna.b", password, "10.0.0.1")
        found = await sessions.found(secret, loopback=False)
        assert found is not None
        form = await sessions.keep_form(found.actor.id, "/visits", {"reason": ["a"]})
        assert await sessions.kept_form(found.actor.id, form) == ("/visits", {"reason": ["a"]})
        await sessions.log_out(secret)
        assert await sessions.found(secret, loopback=False) is None
    finally:
        await db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM visits",
        "DROP TABLE visits",
        "ALTER TABLE visits ADD x int",
        "TRUNCATE history",
        "UPDATE history SET act = act",
        "UPDATE access_log SET id = id",
        "CREATE TABLE x ()",
        "CREATE TEMP TABLE x ()",
    ],
)
def test_the_services_role_removes_nothing_and_changes_no_table(roles: tuple[str, str], statement: str) -> None:
    with psycopg.connect(roles[1]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_the_services_role_may_remove_and_change_rows_where_the_code_does_and_nowhere_else(
    roles: tuple[str, str],
) -> None:
    code = "".join(file.read_text() for file in (ROOT / "app" / "db").glob("*.py"))
    assert _may(roles[1], "DELETE") == set(re.findall(r"\bdelete\((?:tables\.)?(\w+)\)", code)) == {"kept_forms"}
    changed = set(re.findall(r"(?:\bupdate\(\s*(?:tables\.)?|\bUPDATE )([a-z_]+)\b", code))
    assert changed >= {"visits", "alerts", "patients"}
    assert changed & _may(roles[1], "SELECT") <= _may(roles[1], "UPDATE")
    closed = _may(roles[1], "SELECT") - _may(roles[1], "UPDATE")
    assert closed >= {"history", "access_log", "events", "patient_events", "alembic_version"}


def _may(url: str, privilege: str) -> set[str]:
    """The tables on which the role has a privilege."""
    with psycopg.connect(url) as connection:
        tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        names = [row[0] for row in connection.execute(tables)]
        allowed = "SELECT has_table_privilege(%s, %s)"
        return {name for name in names if connection.execute(allowed, [name, privilege]).fetchone() == (True,)}
