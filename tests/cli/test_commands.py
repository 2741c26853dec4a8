"""Each command as a process: what it prints where, and how it ends."""

import json
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests import processes
from tests.cli.conftest import Run
from tests.processes import Forks

DIRTY = Path(__file__).parents[1] / "data" / "infusions-dirty.csv"
TAKEN = {1, 12, 13, 14, 15, 17, 20}


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


def secret_of(token: str) -> str:
    """What follows the token's id; the secret may hold underlines of its own."""
    return token.split("_", 2)[2]


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(query).fetchall()


# ---- import ----


def test_twenty_dirty_rows_are_judged_one_by_one(command: Run) -> None:
    done = command("import", DIRTY, "--json")
    report = json.loads(done.stdout)
    verdicts = {item["row"]: item["verdict"] for item in report["items"]}
    assert done.returncode == 3
    assert {row for row, verdict in verdicts.items() if verdict == "accepted"} == TAKEN
    assert {row for row, verdict in verdicts.items() if verdict == "unchanged"} == {8}
    assert all(item["code"] and item["message"] for item in report["items"] if item["verdict"] == "rejected")
    assert (report["rows"], report["accepted"], report["unchanged"], report["rejected"]) == (20, 7, 1, 12)
    assert done.stderr == ""


def test_an_import_repeated_changes_nothing(command: Run, rows: Path, sqlite_url: str) -> None:
    first, second = command("import", rows, "--json"), command("import", rows, "--json")
    assert (first.returncode, second.returncode) == (0, 0)
    assert (json.loads(first.stdout)["accepted"], json.loads(second.stdout)["unchanged"]) == (1, 1)
    assert ask(sqlite_url, "SELECT count(*), (SELECT count(*) FROM visits) FROM infusions") == [(1, 16)]


def test_a_dry_run_stores_nothing_and_says_what_to_type_next(command: Run, rows: Path, sqlite_url: str) -> None:
    done = command("import", rows, "--dry-run")
    assert done.returncode == 0
    assert done.stdout == "1 rows: 1 accepted, 0 unchanged, 0 rejected\n"
    assert f"follow-up import {rows}" in one_line(done.stderr)
    assert ask(sqlite_url, "SELECT count(*) FROM infusions") == [(0,)]


def test_a_file_that_is_no_table_is_refused_in_one_line(command: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.csv").write_text("Dear colleague\n")
    done = command("import", tmp_path / "letter.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert one_line(done.stderr).startswith("follow-up: ")


def test_the_operator_stands_in_the_history(command: Run, rows: Path, sqlite_url: str) -> None:
    command("import", rows)
    ((actor, role),) = ask(sqlite_url, "SELECT DISTINCT actor, role FROM history WHERE kind = 'infusion'")
    assert str(actor).startswith("operator:")
    assert role == "operator"


# ---- sweep, feed ----


def test_a_sweep_flags_what_is_overdue_on_its_day_and_once(command: Run, rows: Path) -> None:
    command("import", rows, "--today", "2020-01-25")
    first = json.loads(command("sweep", "--today", "2021-06-01", "--json").stdout)
    assert first == {"today": "2021-06-01", "raised": 2}
    assert json.loads(command("sweep", "--today", "2021-06-01", "--json").stdout)["raised"] == 0
    assert json.loads(command("feed", "head", "--json").stdout)["last_seq"] == 2


def test_a_mistyped_day_is_told_and_its_alerts_are_taken_back(command: Run, rows: Path) -> None:
    command("import", rows, "--today", "2020-01-25")
    command("sweep", "--today", "2021-01-05")
    mistyped = command("sweep", "--today", "2031-06-01")
    assert mistyped.stdout == "11 raised for 2031-06-01.\n"
    assert "jumped from 2021-01-05 to 2031-06-01" in mistyped.stderr
    checked = {
        check["name"]: check for check in json.loads(command("doctor", "--today", "2021-01-05", "--json").stdout)
    }
    assert (checked["day of the sweeps"]["well"], checked["alerts ahead of their day"]["found"]) == (False, "11")
    assert json.loads(command("alerts", "recall", "--today", "2021-01-05", "--json").stdout) == {
        "today": "2021-01-05",
        "recalled": 11,
    }
    assert (
        command("alerts", "recall", "--today", "2021-01-05").stdout
        == "0 recalled: on 2021-01-05 their windows have not ended.\n"
    )
    checked = {
        check["name"]: check for check in json.loads(command("doctor", "--today", "2031-06-01", "--json").stdout)
    }
    assert (checked["day of the sweeps"]["well"], checked["alerts ahead of their day"]["found"]) == (True, "0")
    assert command("sweep", "--today", "2021-06-01").stdout == "1 raised for 2021-06-01.\n"


def test_a_new_epoch_of_the_feed_stands_in_the_history(command: Run, sqlite_url: str) -> None:
    assert command("feed", "head").stdout == "1.0\n"
    assert command("feed", "bump-epoch").stdout == "2.0\n"
    assert command("feed", "head").stdout == "2.0\n"
    assert ask(sqlite_url, "SELECT kind, act FROM history") == [("feed", "bump-epoch")]


# ---- keys, tokens ----


def test_new_keys_are_read_by_their_owner_only_and_never_overwritten(command: Run, tmp_path: Path) -> None:
    made = command("keys", "new", tmp_path / "new.keys")
    assert (made.returncode, made.stdout) == (0, "")
    assert f"FOLLOW_UP_KEY_FILE={tmp_path / 'new.keys'}" in one_line(made.stderr)
    assert (tmp_path / "new.keys").stat().st_mode & 0o777 == 0o600
    kept = (tmp_path / "new.keys").read_bytes()
    again = command("keys", "new", tmp_path / "new.keys")
    assert again.returncode == 1
    one_line(again.stderr)
    assert (tmp_path / "new.keys").read_bytes() == kept


def test_a_token_is_printed_alone_and_once(command: Run, sqlite_url: str) -> None:
    made = command(
        "token", "add", "--name", "cosmic", "--role", "integration", "--centre", "lund", "--scope", "infusions:write"
    )
    token = made.stdout.strip()
    assert (made.returncode, made.stderr, made.stdout.count("\n")) == (0, "", 1)
    assert token.startswith("fu_")
    listed = json.loads(command("token", "list", "--json").stdout)
    assert [(t["name"], t["role"], t["centres"], t["scopes"], t["revoked_at"]) for t in listed] == [
        ("cosmic", "integration", "lund", "infusions:write", None)
    ]
    assert secret_of(token) not in command("token", "list").stdout
    assert ask(sqlite_url, "SELECT kind, act FROM history") == [("token", "add")]


def test_a_revoked_token_is_told_as_revoked(command: Run) -> None:
    token = command("token", "add", "--name", "n", "--role", "nurse", "--centre", "all").stdout.strip()
    assert command("token", "revoke", token).returncode == 0
    assert "revoked" in command("token", "list").stdout
    again = command("token", "revoke", token)
    assert again.returncode == 1
    assert secret_of(token) not in one_line(again.stderr)


@pytest.mark.parametrize(
    "words",
    [["--role", "nurse", "--centre", "malmo"], ["--role", "nurse", "--centre", "lund", "--scope", "alerts:read"]],
)
def test_a_token_that_cannot_be_is_refused_in_one_line(command: Run, words: list[str]) -> None:
    done = command("token", "add", "--name", "n", *words)
    assert (done.returncode, done.stdout) == (1, "")
    one_line(done.stderr)


def test_a_token_ends_on_the_day_that_is_told_and_is_renewed_under_its_name(command: Run) -> None:
    add = ("token", "add", "--name", "cosmic", "--role", "nurse", "--centre", "lund", "--expires")
    token = command(*add, "2198-12-31").stdout.strip()
    assert "valid to 2198-12-31  never used" in command("token", "list").stdout
    renewed = command("token", "renew", token, "--expires", "2199-01-31").stdout.strip()
    assert (renewed.split("_")[1], renewed == token) == (token.split("_")[1], False)
    assert "valid to 2199-01-31" in command("token", "list").stdout
    checks = {check["name"]: check for check in json.loads(command("doctor", "--json").stdout)}
    assert checks["tokens"]["well"]
    command("token", "renew", token, "--expires", (date.today() + timedelta(days=20)).isoformat())
    checks = {check["name"]: check for check in json.loads(command("doctor", "--json").stdout)}
    assert (checks["tokens"]["well"], "cosmic" in checks["tokens"]["found"]) == (False, True)
    for words in (("2020-01-01",), ("31/12/2999",)):
        refused = command(*add, *words)
        assert (refused.returncode > 0, refused.stdout) == (True, "")


# ---- accounts ----


def test_the_first_password_of_an_account_is_printed_alone_and_once(command: Run, sqlite_url: str) -> None:
    made = command(
        "user", "add", "karin.n", "--name", "Karin N", "--role", "nurse", "--centre", "lund", "--centre", "umea"
    )
    password = made.stdout.strip()
    assert (made.returncode, made.stderr, made.stdout.count("\n")) == (0, "", 1)
    assert len(password) >= 12
    listed = json.loads(command("user", "list", "--json").stdout)
    assert [(a["username"], a["name"], a["role"], a["centres"], a["disabled_at"]) for a in listed] == [
        ("karin.n", "Karin N", "nurse", "lund umea", None)
    ]
    assert password not in command("user", "list").stdout
    assert ask(sqlite_url, "SELECT kind, act FROM history") == [("account", "add")]


def test_a_closed_account_is_told_as_closed(command: Run) -> None:
    assert command("user", "add", "per.l", "--name", "Per L", "--role", "admin", "--centre", "all").returncode == 0
    assert "open" in command("user", "list").stdout
    assert command("user", "disable", "per.l").returncode == 0
    assert "closed" in command("user", "list").stdout
    again = command("user", "disable", "per.l")
    assert (again.returncode, again.stdout) == (1, "")
    one_line(again.stderr)


def test_an_account_is_changed_by_a_command(command: Run) -> None:
    first = command("user", "add", "per.l", "--name", "Per L", "--role", "nurse", "--centre", "lund").stdout
    changed = command(
        "user", "change", "per.l", "--role", "clinician", "--centre", "umea", "--centre", "lund", "--name", "Per Lind"
    )
    assert (changed.returncode, changed.stdout) == (0, "")
    (told,) = json.loads(command("user", "list", "--json").stdout)
    assert (told["name"], told["role"], told["centres"]) == ("Per Lind", "clinician", "lund umea")
    password = command("user", "change", "per.l", "--new-password").stdout
    assert len(password.strip()) >= 12
    assert password != first
    refused = command("user", "change", "per.l")
    assert (refused.returncode, refused.stdout) == (1, "")
    one_line(refused.stderr)


@pytest.mark.parametrize("words", [["Per.L", "--role", "nurse", "--centre", "lund"], ["per.l", "--role", "worker",
    "--centre", "lund"], [
    "per.l", "--role", "nurse", "--centre", "malmo"]])  # fmt: skip
def test_an_account_that_cannot_be_is_refused_in_one_line(command: Run, words: list[str]) -> None:
    done = command("user", "add", *words, "--name", "Per L")
    assert (done.returncode, done.stdout) == (1, "")
    one_line(done.stderr)


# ---- protocols, catalogue ----


def test_a_published_protocol_is_one_and_a_broken_one_tells_its_faults(command: Run, tmp_path: Path) -> None:
    published = processes.ROOT / "app" / "planning" / "published" / "ltfu-15y.toml"
    good = command("protocol", "check", published, "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["visits"][:2] == ["W4", "Y01"]
    (tmp_path / "broken.toml").write_text(published.read_text().replace("before = 30", "before = -300"))
    broken = command("protocol", "check", tmp_path / "broken.toml", "--json")
    assert broken.returncode == 1
    assert [e["code"] for e in json.loads(broken.stdout)["errors"]] != []
    assert "before" in one_line(broken.stderr)


def test_the_protocols_of_the_database_are_listed(command: Run) -> None:
    assert {p["code"] for p in json.loads(command("protocol", "list", "--json").stdout)} >= {
        "ltfu-15y",
        "cibmtr-15y",
        "aav-5y",
    }


def test_a_catalogue_file_adds_what_is_missing(command: Run, tmp_path: Path, sqlite_url: str) -> None:
    text = (processes.ROOT / "app" / "data" / "products.csv").read_text()
    (tmp_path / "products.csv").write_text(
        text.splitlines()[0] + "\n" + text.splitlines()[1].replace("tisagenlecleucel", "novel-cart") + "\n"
    )
    assert json.loads(command("catalogue", "load", tmp_path / "products.csv", "--json").stdout) == {
        "kind": "products",
        "rows": 1,
        "added": 1,
    }
    assert json.loads(command("catalogue", "load", tmp_path / "products.csv", "--json").stdout)["added"] == 0
    assert ask(sqlite_url, "SELECT kind, object_id, act FROM history") == [("product", "novel-cart", "loaded")]


def test_a_product_with_a_protocol_of_another_class_is_refused_and_nothing_is_stored(
    command: Run, tmp_path: Path, sqlite_url: str
) -> None:
    text = (processes.ROOT / "app" / "data" / "products.csv").read_text()
    line = text.splitlines()[1].replace("tisagenlecleucel", "novel-cart").replace("ltfu-15y", "aav-5y")
    (tmp_path / "products.csv").write_text(f"{text.splitlines()[0]}\n{line}\n")
    refused = command("catalogue", "load", tmp_path / "products.csv")
    assert refused.returncode == 1
    assert "novel-cart: aav-5y does not serve the class gene-modified-cells" in refused.stderr
    assert ask(sqlite_url, "SELECT count(*) FROM products WHERE code = 'novel-cart'") == [(0,)]


# ---- what looks only ----


def test_the_settings_are_told_without_the_password(forks: Forks, tmp_path: Path) -> None:
    env = processes.environment(database_url="postgresql://app:geheim@db/follow_up", sweep_minutes=5)
    for words in (["config"], ["config", "--json"]):
        done = forks.run(*words, env=env, cwd=tmp_path)
        assert "geheim" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["sweep_minutes"] == 5


def test_the_interface_is_printed_without_a_database(forks: Forks, tmp_path: Path) -> None:
    done = forks.run("openapi", env=processes.environment(), cwd=tmp_path)
    assert "/api/v1/infusions" in json.loads(done.stdout)["paths"]
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_a_sick_house_and_names_the_remedy(forks: Forks, tmp_path: Path) -> None:
    done = forks.run("doctor", env=processes.environment(), cwd=tmp_path)
    told = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert done.returncode == 1
    assert told["keys"].startswith("WRONG")
    assert "follow-up keys new FILE" in told["keys"]
    assert "follow-up migrate" in told["database"]
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_a_well_house(command: Run) -> None:
    new = command("doctor")
    assert new.returncode == 0
    assert "not yet  last sweep" in new.stdout
    assert "follow-up worker" in new.stdout
    command("sweep")
    well = command("doctor", "--json")
    assert well.returncode == 0
    assert {c["name"] for c in json.loads(well.stdout)} == {
        *(
            "settings",
            "keys",
            "disk",
            "zone",
            "database",
            "migrations",
            "clock",
            "tokens",
            "last sweep",
            "day of the sweeps",
        ),
        "alerts ahead of their day",
    }


def test_the_doctor_warns_of_the_demos_tokens(forks: Forks, env: dict[str, str], tmp_path: Path) -> None:
    done = forks.run("doctor", env={**env, "FOLLOW_UP_DEMO_TOKENS": "1"}, cwd=tmp_path)
    line = next(line for line in done.stdout.splitlines() if "demo tokens" in line)
    assert line.startswith("WARN ")
    assert "unset FOLLOW_UP_DEMO_TOKENS" in line


# ---- how a command ends ----


@pytest.mark.parametrize(
    "words", [["sweep", "--today", "20261123"], ["nothing"], ["import", "missing.csv"], ["token", "add"]]
)
def test_wrong_usage_ends_with_two(command: Run, words: list[str]) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_database_that_is_not_migrated_is_refused_and_not_made(forks: Forks, key_file: Path, tmp_path: Path) -> None:
    env = processes.environment(key_file=key_file, database_url=f"sqlite:///{tmp_path / 'none.db'}")
    done = forks.run("sweep", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "follow-up migrate" in one_line(done.stderr)
    assert not (tmp_path / "none.db").exists()
    assert forks.run("migrate", env=env, cwd=tmp_path).returncode == 0
    assert (tmp_path / "none.db").stat().st_mode & 0o777 == 0o600
    assert forks.run("sweep", env=env, cwd=tmp_path).returncode == 0


def test_a_database_that_is_away_is_one_line(forks: Forks, key_file: Path, tmp_path: Path) -> None:
    env = processes.environment(key_file=key_file, database_url="postgresql://app:geheim@127.0.0.1:1/follow_up")
    done = forks.run("sweep", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "geheim" not in one_line(done.stderr)


def test_wrong_settings_are_named_without_their_value(forks: Forks, tmp_path: Path) -> None:
    done = forks.run("config", env=processes.environment(sweep_minutes="often"), cwd=tmp_path)
    assert done.returncode == 1
    assert "FOLLOW_UP_SWEEP_MINUTES" in one_line(done.stderr)
    assert "often" not in done.stderr


def test_every_command_takes_a_day_and_shows_an_example() -> None:
    import typer

    from app.cli import commands

    def leaves(group: object) -> list[object]:
        below = getattr(group, "commands", None)
        return [leaf for one in below.values() for leaf in leaves(one)] if below else [group]

    found = leaves(typer.main.get_command(commands))
    assert len(found) == 26
    for one in found:
        options = {option for parameter in one.params for option in parameter.opts}  # type: ignore[attr-defined]
        assert "--today" in options, one.name
        assert "Example: " in one.epilog, one.name  # type: ignore[attr-defined]
