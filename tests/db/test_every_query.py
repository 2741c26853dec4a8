"""Every function of `app.db` that takes a transaction stands in one of three lists here; a new one that stands in none
fails."""

import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import astuple, dataclass, is_dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

import app.db
from app.actor import Actor
from app.clock import Clock
from app.db import alerts, contacts, decisions, imports, patients, visits
from app.db.contacts import ContactRow
from app.db.decisions import UndecidedFilter
from app.db.engine import Database
from app.db.feed import Head
from app.db.figures import Scope
from app.db.infusions import InfusionFilter
from app.db.patients import EventRow
from app.db.transaction import Transaction, begin
from app.db.visits import DueFilter
from app.planning.visits import VisitState
from tests.db.rows import DAY, Chart, a_chart, nurse

Question = Callable[..., Awaitable[Any]]

NUMBER = "198112289874"
FIGURES = Scope(None, DAY + timedelta(days=400))
EVERY_STATE = DueFilter(state=tuple(VisitState))


@dataclass(frozen=True)
class World:
    """A patient of Lund with something in every table."""

    chart: Chart
    alert: UUID
    job: UUID

    @property
    def patient(self) -> UUID:
        return self.chart.patient


# What each question is asked; an actor of every centre gets an answer to it, one without a centre none.
QUESTIONS: Mapping[str, Callable[[World], tuple[Any, ...]]] = {
    "access_log.of_patient": lambda w: (w.patient, None, 10),
    "alerts.count": lambda w: (["open"], None),
    "alerts.count_ahead": lambda w: (date.min,),
    "alerts.lock": lambda w: (w.alert,),
    "alerts.page": lambda w: (["open"], None, None, 10),
    "alerts.take_ahead": lambda w: (date.min,),
    "alerts.protocols_of": lambda w: ([w.chart.visits["Y01"]],),
    "contacts.get": lambda w: (w.chart.visits["Y01"],),
    "contacts.with_patients": lambda w: ([w.patient],),
    "decisions.count": lambda w: (UndecidedFilter(), ["lund"], DAY),
    "decisions.page": lambda w: (UndecidedFilter(), ["lund"], DAY, None, 10),
    "feed.page": lambda w: (0, 10),
    "figures.by_context": lambda w: (FIGURES,),
    "figures.completeness": lambda w: (FIGURES,),
    "figures.persons": lambda w: (FIGURES, False),
    "figures.published": lambda w: (FIGURES,),
    "figures.statuses": lambda w: (FIGURES,),
    "figures.visit_states": lambda w: (FIGURES,),
    "history.of_visits": lambda w: (datetime(2020, 1, 1, tzinfo=UTC), 10),
    "history.of_patient": lambda w: (w.patient, None, 10),
    "imports.get": lambda w: (w.job,),
    "infusions.count": lambda w: (InfusionFilter(),),
    "infusions.get": lambda w: (w.chart.infusion,),
    "infusions.page": lambda w: (InfusionFilter(), None, 10),
    "infusions.to_extend": lambda w: (DAY, 10),
    "patients.get": lambda w: (w.patient,),
    "patients.lock": lambda w: (w.patient,),
    "patients.many": lambda w: ([w.patient],),
    "patients.seen_of": lambda w: ([w.patient],),
    "patients.visible": lambda w: (),
    "patients.with_number": lambda w: ([("personnummer", NUMBER)],),
    "visits.count": lambda w: (EVERY_STATE, ["lund"], DAY),
    "visits.page": lambda w: (EVERY_STATE, ["lund"], DAY, None, 10),
    "visits.patient_of": lambda w: (w.chart.visits["Y01"],),
}

# Not cut, and why that is right.
OPEN: Mapping[str, str] = {
    "accounts.by_id": "the caller's own account",
    "accounts.by_username": "who calls is found by it",
    "accounts.is_borne": "for those who manage accounts",
    "accounts.every": "for those who manage accounts",
    "sessions.by_id": "who calls is found by it",
    "access_log.whose": "the log tells of whom something was refused",
    "alerts.raise_overdue": "the worker sweeps every centre",
    "alerts.unresolved_of": "settle closes another centre's alerts too",
    "catalogue.centre_codes": "codes are public",
    "catalogue.centre": "codes are public",
    "catalogue.centres": "codes are public",
    "catalogue.counts": "published",
    "catalogue.product": "codes are public",
    "catalogue.products": "codes are public",
    "catalogue.protocols": "published",
    "contacts.by_source": "the sender's id is unique in the service",
    "contacts.of_patient": "an answer that another centre had decides here too",
    "feed.head": "a number and an instant; every answer's stamp",
    "infusions.of_patient": "planning needs them all",
    "infusions.request_of": "the natural key is unique in the service",
    "locks.take": "tells nothing",
    "patients.event_by_source": "the natural key is unique in the service",
    "patients.protected_of": "what it closes is closed to everybody",
    "patients.by_number": "numbers are unique in the service",
    "patients.owners": "numbers are unique in the service; a dry run learns which rows are of one person",
    "patients.events_of": "a death that another centre recorded decides here too",
    "patients.first_opens": "shows nothing",
    "patients.lock_known": "the infusing centre becomes responsible",
    "plans.of_patient": "planning needs them all",
    "state.get": "of the service",
    "state.schema": "of the service",
    "state.take_sweep": "of the service",
    "tokens.by_id": "who calls is found by it",
    "tokens.every": "for those who manage accounts",
}

# Writes: what they change was loaded by one of the questions before.
WRITES = {
    *(
        "accounts.add",
        "accounts.change",
        "accounts.change_password",
        "accounts.disable",
        "accounts.keep_choices",
        "sessions.add",
        "sessions.choose",
        "sessions.end",
        "sessions.seen",
    ),
    *("kept_forms.add", "kept_forms.forget", "kept_forms.take"),
    *(
        "alerts.acknowledge",
        "alerts.add",
        "alerts.reopen",
        "alerts.resolve",
        "alerts.wait_again",
        "catalogue.add",
        "feed.bump_epoch",
        "feed.set_back",
        "imports.start",
        "imports.note",
    ),
    *(
        "infusions.add",
        "infusions.change",
        "infusions.remember",
        "patients.add",
        "patients.add_event",
        "patients.add_numbers",
        "patients.change",
    ),
    *(
        "plans.add",
        "plans.add_visits",
        "plans.change",
        "plans.change_visits",
        "plans.flag_visits",
        "state.mark_demo",
        "state.move_demo",
    ),
    *("state.swept", "state.try_to_write", "tokens.add", "tokens.renew", "tokens.revoke", "tokens.used"),
    *("contacts.add", "contacts.take_back", "decisions.add_refused", "decisions.end_refused", "patients.set_standing"),
    *("state.forget_jump", "state.jumped"),
}


def found() -> dict[str, Question]:
    """Every public function of a module of `app.db` whose first argument is `tx` and that waits for the database."""
    functions: dict[str, Question] = {}
    for module in (import_module(f"app.db.{name}") for _, name, _ in pkgutil.iter_modules(app.db.__path__)):
        for name, function in inspect.getmembers(
            module, lambda f: inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f)
        ):
            ours = function.__module__ == module.__name__ and not name.startswith("_")
            if ours and next(iter(inspect.signature(function).parameters), "") == "tx":
                functions[f"{module.__name__.rpartition('.')[2]}.{name}"] = function
    return functions


FOUND = found()


def test_every_function_of_db_stands_in_one_list() -> None:
    assert sorted([*QUESTIONS, *OPEN, *WRITES]) == sorted(FOUND)


_OBVIOUS = ("catalogue.", "state.", "locks.", "feed.", "alerts.raise_overdue", "patients.first_opens")


@pytest.mark.parametrize("name", sorted(OPEN))
def test_what_is_not_cut_says_so(name: str) -> None:
    told = f"{FOUND[name].__doc__} {inspect.getmodule(FOUND[name]).__doc__}"
    assert "not cut" in " ".join(told.lower().split()) or name.startswith(_OBVIOUS), name


def is_nothing(answer: object) -> bool:
    """No row and no count; the feed's head is everybody's."""
    if answer is None or isinstance(answer, Head):
        return True
    if isinstance(answer, int | float):
        return answer == 0
    if isinstance(answer, Mapping):
        return not answer
    if is_dataclass(answer) or not isinstance(answer, Collection) or isinstance(answer, str | bytes):
        return False
    return all(is_nothing(part) for part in answer)


@pytest.mark.parametrize(("answer", "expected"), [(None, True), ([], True), ((Head(1, 0, None), []), True), (0, True),
    ([(None, 0)], True), (
    (Head(1, 0, None), [1]), False), ("lund", False), ([("lund", 0)], False), ({"a": []}, False), (DAY, False), (True,
     False)])  # fmt: skip
def test_what_counts_as_nothing(answer: object, expected: bool) -> None:
    assert is_nothing(answer) is expected


async def a_world(tx: Transaction) -> World:
    ends = {"Y01": DAY - timedelta(days=400), "Y02": DAY - timedelta(days=30), "Y03": DAY + timedelta(days=300)}
    chart = await a_chart(tx, "lund", number=NUMBER, ends=ends, endless=True)
    done = {"outcome": "completed", "completed_on": ends["Y02"]}
    await tx.run(visits.visits.update().where(visits.visits.c.id == chart.visits["Y02"]).values(**done))
    alert = alerts.NewAlert(chart.visits["Y01"], chart.patient, "lund", "Y01", "care", ends["Y01"])
    (raised,) = await alerts.add(tx, [alert])
    at = chart.visits["Y01"]
    by_anna = tx.now, "anna", "id of anna"
    await contacts.add(
        tx, ContactRow(at, at, chart.patient, "phone", "no-answer", DAY, None, "a note", None, None, DAY, *by_anna)
    )
    await decisions.add_refused(tx, chart.patient, "umea")
    event = EventRow(at, chart.patient, "survival", DAY, {}, "a note", "cosmic-lund", "event-1", *by_anna, DAY)
    await patients.add_event(tx, event)
    tx.changed("patient", chart.patient, "registered", None, {}, chart.patient)
    tx.changed("visit", chart.visits["Y01"], "booked", {}, {}, chart.patient)
    tx.saw("patient", [chart.patient])
    return World(chart, raised.id, await imports.start(tx, dry_run=False, total=1))


@pytest.fixture
async def world(database: Database, operator: Actor) -> World:
    async with begin(database, operator, Clock()) as tx:
        return await a_world(tx)


async def answers(database: Database, actor: Actor, world: World) -> dict[str, object]:
    async with begin(database, actor, Clock()) as tx:
        return {name: await FOUND[name](tx, *asked(world)) for name, asked in QUESTIONS.items()}


async def test_an_actor_without_a_centre_sees_nothing_and_one_of_every_centre_something(
    database: Database, operator: Actor, world: World
) -> None:
    everything, nothing = await answers(database, operator, world), await answers(database, nurse(), world)
    assert [name for name, answer in everything.items() if is_nothing(answer)] == []
    assert [name for name, answer in nothing.items() if not is_nothing(answer)] == []


async def test_a_centre_that_has_nothing_to_do_with_the_patient_sees_nothing_but_the_networks_figures(
    database: Database, world: World
) -> None:
    foreign = await answers(database, nurse("umea"), world)
    assert [
        name for name, answer in foreign.items() if not is_nothing(answer) and not name.startswith("figures.")
    ] == []


async def test_the_responsible_centre_sees_all_of_the_patient(
    database: Database, operator: Actor, world: World
) -> None:
    own, everything = await answers(database, nurse("lund"), world), await answers(database, operator, world)
    of_somebody_else = {"imports.get"}  # an import is its owner's
    assert [name for name in QUESTIONS if _plain(own[name]) != _plain(everything[name])] == sorted(of_somebody_else)


def _plain(answer: Any) -> Any:
    return astuple(answer) if is_dataclass(answer) and not isinstance(answer, type) else answer
