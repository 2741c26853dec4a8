"""The Nth-fault loop: a command is killed around its n-th commit, or its n-th commit or statement fails, for n = 1, 2,
3 and on.

After each death the database keeps what must hold and all that was promised; the command run again brings it to exactly
the state of a run that nobody disturbed. The loop ends with the first n that the command does not reach.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import count
from signal import SIGKILL
from typing import Any

import pytest

from tests.databases import KINDS, Kind
from tests.faults.conftest import Given
from tests.faults.forks import DONE, MISSED, REFUSED, Forks
from tests.faults.given import DAY, LATER, a_file, infusion
from tests.faults.state import State, difference, infusions, state, tables
from tests.faults.tasks import HOWS
from tests.invariants import check_invariants


@dataclass(frozen=True)
class Case:
    """A command, the database it begins on, its input and day. `commits` and `statements`: how many it has at least, so
    that a loop which ended at once would be seen. `sweeps`: until its end, what is overdue may wait for its alert.
    `step`: every so many statements."""

    task: str
    begins: str
    options: Callable[[Given], dict[str, Any]]
    commits: int
    statements: int
    day: str = DAY
    sweeps: bool = False
    step: int = 1


def _infusions(_: Given) -> dict[str, Any]:
    """A reinfusion that closes an overdue visit with its alert; its day of discharge, told later; both parts of a split
    dose."""
    again = infusion(1, "2026-10-01", source="again")
    doses = [
        infusion(5, f"2026-09-{day}", source=f"dose-{day}", product="obecabtagene-autoleucel") for day in ("01", "11")
    ]
    done = [{"protocol": "ltfu-15y", "code": "W4", "completed_on": "2026-11-02"}]
    return {
        "bodies": [
            again,
            again | {"discharged_on": "2026-10-10"},
            doses[0],
            doses[1] | {"discharged_on": "2026-10-05", "completed": done},
        ]
    }


def _rows(sample: int, *, dirty: bool) -> Callable[[Given], dict[str, Any]]:
    return lambda given: {"file": given.file(f"{sample}-{dirty}.csv", a_file(sample=sample, dirty=dirty))}


def _nothing(_: Given) -> dict[str, Any]:
    return {}


MIGRATE = Case("migrate", "empty", _nothing, commits=1, statements=40, step=7)
RECORD = Case("record", "one-patient", _infusions, commits=4, statements=60)
POST = Case("requests", "one-patient", _infusions, commits=4, statements=60)
SWEEP_FEW = Case("sweep", "one-patient", _nothing, commits=3, statements=10, day=LATER, sweeps=True)
SWEEP = Case("sweep", "many", _nothing, commits=5, statements=20, day=LATER, sweeps=True)
IMPORT_FEW = Case("enter", "seeded", _rows(2, dirty=False), commits=4, statements=20)
IMPORT = Case("enter", "seeded", _rows(10, dirty=True), commits=19, statements=150, step=13)

FAST: list[tuple[Kind, Case, str]] = [
    ("sqlite", MIGRATE, "kill-before"),
    ("sqlite", RECORD, "kill-before"),
    ("sqlite", RECORD, "fail-commit"),
    ("sqlite", SWEEP_FEW, "kill-after"),
    ("sqlite", IMPORT_FEW, "kill-before"),
    ("postgresql", MIGRATE, "kill-before"),
    ("postgresql", RECORD, "kill-after"),
    ("postgresql", SWEEP_FEW, "kill-before"),
]
# A death shows the same whichever client began the transaction: HTTP around it is walked at the kill that a client
# would notice.
WHOLE = [(kind, case, how) for kind in KINDS for case in (MIGRATE, RECORD, SWEEP, IMPORT_FEW) for how in HOWS]
WHOLE += [
    (kind, case, how)
    for kind in KINDS
    for case, how in ((POST, "kill-after"), (IMPORT, "kill-after"), (IMPORT, "error"))
]
WHOLE = [found for found in WHOLE if found not in FAST]
# PostgreSQL is sent fewer statements than SQLite, but no other ones, and a database of its own takes longer to make:
# every fourth.
SPARSE = 4


def _name(value: object) -> str | None:
    return f"{value.task}-{value.begins}-{value.commits}" if isinstance(value, Case) else None


@pytest.mark.parametrize(("kind", "case", "how"), FAST, ids=_name)
def test_a_command_may_die_anywhere_and_is_run_again(
    forks: Forks, given: Given, kind: Kind, case: Case, how: str
) -> None:
    _loop(forks, given, kind, case, how)


@pytest.mark.proof
@pytest.mark.parametrize(("kind", "case", "how"), WHOLE, ids=_name)
def test_every_command_may_die_at_every_commit_and_statement(
    forks: Forks, given: Given, kind: Kind, case: Case, how: str
) -> None:
    _loop(forks, given, kind, case, how)


def _loop(forks: Forks, given: Given, kind: Kind, case: Case, how: str) -> None:
    options = case.options(given) | ({} if case.task == "migrate" else {"day": case.day})
    undisturbed = given.copy(case.begins, kind)
    forks.run(case.task, url=undisturbed, **options)
    expected = state(undisturbed)
    met, step = 0, 1
    if how == "error":
        step = case.step * (SPARSE if kind == "postgresql" else 1)
    for n in count(1, step):
        url = given.copy(case.begins, kind)
        status, told = forks.run(case.task, url=url, fault=[how, n], **options)
        if status == MISSED:
            break
        met = n
        # Reflection of a SQLite table asks in another way when its first question fails: a migration goes on, and must
        # end as it should.
        asked_anew = kind == "sqlite" and case.task == "migrate" and how == "error" and status == DONE
        assert asked_anew or status == (-SIGKILL if how.startswith("kill") else REFUSED)
        _check_after_death(url, case, told, f"{how} {n}")
        _, again = forks.run(case.task, url=url, **options)
        _check_at_the_end(url, case, [*told, *again], expected, f"{how} {n}")
        given.drop(url)
    assert met >= (case.statements - step if how == "error" else case.commits), (
        f"{how}: the command was over after {met}"
    )


def _check_after_death(url: str, case: Case, told: list[Any], when: str) -> None:
    there = tables(url)
    if case.task == "migrate" and not there:
        return
    assert len(there) > 15, f"{when}: half a schema: {there}"
    check_invariants(url, date.fromisoformat(case.day), swept=not case.sweeps)
    _check_promises(url, told, when)


def _check_at_the_end(url: str, case: Case, told: list[Any], expected: State, when: str) -> None:
    check_invariants(url, date.fromisoformat(case.day))
    _check_promises(url, told, when)
    assert not (differs := difference(expected, state(url))), f"{when}:\n{differs}"


def _check_promises(url: str, told: list[Any], when: str) -> None:
    """What a verdict or an answer said is stored: an infusion by its id, in a version not older than the told one."""
    stored = infusions(url)
    for line in told:
        if isinstance(line, dict) and line["infusion_id"]:
            assert line["infusion_id"] in stored, f"{when}: row {line['row']} was {line['verdict']}, and is not stored"
        elif isinstance(line, list) and isinstance(line[1], dict):
            assert stored.get(line[1]["id"], 0) >= line[1]["version"], f"{when}: {line[0]} was said, and is not stored"
