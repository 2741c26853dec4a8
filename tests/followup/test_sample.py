"""The published sample: 304 infusions of 297 invented persons, checked against days that share no code with the service
(tests/years/schedule.py)."""

import asyncio
import csv
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from app.actor import Actor, Role
from app.clock import Clock
from app.db import transaction
from app.db.columns import Keys
from app.db.engine import Database
from app.db.visits import DueFilter
from app.followup import due_list, figures, infusions, recording
from app.followup.commands import Ask
from app.followup.infusion_fields import NewInfusion
from app.planning.state import state
from app.planning.visits import Outcome, VisitState, Window
from tests.databases import KINDS, Kind, fresh_database, made_once
from tests.followup.equations import Equation, fixed
from tests.followup.ward import Ward
from tests.years.schedule import sixteen, suggested

ROWS = list(csv.DictReader((files("app.data") / "infusions-2025-09-08.csv").read_text(encoding="utf-8").splitlines()))

EVERYBODY = Actor("operator:test", Role.OPERATOR, None, id="operator:test")
NETWORK = Actor("network", Role.NETWORK, None, id="network")


def body(row: dict[str, str]) -> NewInfusion:
    """A row of the sample as the infusion it tells."""
    return NewInfusion.model_validate(
        {
            "patient": {"identifiers": [{"system": "personnummer", "value": row["personnummer"]}], "name": row["name"]},
            "source": {"system": row["source_system"], "id": row["source_id"]},
            "discharged_on": row["discharged_on"] or None,
        }
        | {name: row[name] for name in ("centre", "product", "context", "indication", "infused_on", "batch")}
    )


async def enter(ward: Ward, rows: Sequence[dict[str, str]], *, each_on_its_day: bool) -> None:
    """Enters rows in their order; without its discharge date where that lies ahead of the day."""
    for row in rows:
        told = body(row)
        day = max(told.infused_on, told.discharged_on or told.infused_on) if each_on_its_day else ward.today
        async with transaction.begin(ward.db, EVERYBODY, Clock(day)) as tx:
            await recording.record(tx, told)


async def due(ward: Ward, wanted: DueFilter, day: date) -> list[dict[str, Any]]:
    """The whole list on a day, walked in pages of 40."""
    items: list[dict[str, Any]] = []
    after = None
    while True:
        page = await ward.do(due_list.due, wanted, Ask(40, day, after, False), writing=False)
        items += page.items
        if (after := page.next) is None:
            return items


def superseded_on(row: dict[str, str]) -> date | None:
    """The day of the same person's next infusion, if there is one: all of the sample are of one class."""
    later = [
        r["infused_on"]
        for r in ROWS
        if r["personnummer"] == row["personnummer"] and r["infused_on"] > row["infused_on"]
    ]
    return date.fromisoformat(min(later)) if later else None


def expected_due(centre: str, day: date) -> list[tuple[date, str, str]]:
    """(window end, source id, code) of each visit that is due or overdue in a centre on a day when nobody has come to
    any visit."""
    found = []
    for row in ROWS:
        closed = superseded_on(row)
        discharged = date.fromisoformat(row["discharged_on"]) if row["discharged_on"] else None
        for code, window in sixteen(date.fromisoformat(row["infused_on"]), discharged).items():
            if row["centre"] == centre and window.start <= day and closed is None:
                found.append((window.end, row["source_id"], code))
    return sorted(found)


@pytest.fixture(scope="module", params=KINDS)
def entered(request: pytest.FixtureRequest) -> tuple[str, Keys]:
    """A database in which each row was entered on its own day, filled once a run; only read from then on."""
    kind: Kind = request.param

    def make(folder: Path) -> None:
        url = fresh_database(kind)
        (folder / "url").write_text(url)
        asyncio.run(_enter(url, Keys.make(folder / "keys")))

    folder = made_once(f"sample-{kind}", make)
    return (folder / "url").read_text(), Keys.read(folder / "keys")


async def _enter(url: str, keys: Keys) -> None:
    db = Database(url, keys)
    await enter(Ward(db), ROWS, each_on_its_day=True)
    await db.close()


@pytest.fixture
async def sample(entered: tuple[str, Keys]) -> AsyncIterator[Ward]:
    db = Database(*entered)
    yield Ward(db)
    await db.close()


async def test_every_infusion_has_sixteen_visits_on_the_right_days(sample):
    seen = 0
    for row in ROWS:
        async with transaction.begin(sample.db, EVERYBODY, Clock(sample.today), writing=False) as tx:
            found = await infusions.find(
                tx,
                infusions.InfusionFilter(source_system=row["source_system"], source_id=row["source_id"]),
                Ask(2, sample.today),
            )
            told = await infusions.get(tx, found.items[0]["id"])
        discharged = date.fromisoformat(row["discharged_on"]) if row["discharged_on"] else None
        right = sixteen(date.fromisoformat(row["infused_on"]), discharged)
        days = {
            v["code"]: (v["target_on"], v["window_start"], v["window_end"], v["suggested_on"])
            for v in told["visits"]
            if v["anchor"] != "birth"
        }
        assert days == {
            code: (w.target, w.start, w.end, suggested(w.target, w.start, w.end)) for code, w in right.items()
        }
        seen += len(days)
    assert seen == 304 * 16


@pytest.mark.parametrize("day", ["2026-11-23", "2031-03-01", "2041-01-01"])
async def test_the_due_list_of_lund_is_right(sample, day):
    day = date.fromisoformat(day)
    sources = {}
    for item in (listed := await due(sample, DueFilter(centre="lund"), day)):
        if item["infusion_id"] not in sources:
            told = await sample.do(infusions.get, item["infusion_id"], writing=False)
            sources[item["infusion_id"]] = told["source"]["id"]
    found = [(i["window_end"], sources[i["infusion_id"]], i["code"]) for i in listed if i["anchor"] != "birth"]
    assert sorted(found) == expected_due("lund", day)
    assert [i["window_end"] for i in listed] == sorted(i["window_end"] for i in listed)


async def test_state_in_json_in_sql_and_in_python_agree(sample):
    chance = random.Random(20261124)
    for _ in range(12):
        day = date.fromordinal(chance.randint(date(2015, 1, 1).toordinal(), date(2042, 1, 1).toordinal()))
        by_sql: dict[Any, VisitState] = {}
        for name in VisitState:
            for item in await due(
                sample, DueFilter(state=(name,), centre="lund", status=("in-follow-up", "plan-ended")), day
            ):
                assert item["state"] == name.value
                assert item["id"] not in by_sql, "one visit in two states"
                by_sql[item["id"]] = name
                outcome = Outcome(name.value) if name.value in set(Outcome) else None
                assert state(outcome, Window(item["window_start"], item["window_end"]), day) is name
        assert len(by_sql) >= 65 * 16, "a visit is in no state"


async def test_the_network_counts_what_the_published_list_counts_and_says_what_it_cannot_explain(sample):
    told = await sample.do(figures.network, None, by=EVERYBODY, writing=False)
    assert (told["infusions"], told["patients"], told["children"]) == (304, 297, 13)
    published = list(csv.DictReader((files("app.data") / "centres.csv").read_text(encoding="utf-8").splitlines()))
    counted = {(c["centre"], x["context"]): x["patients"] for c in told["centres"] for x in c["by_context"]}
    assert counted == {(r["code"], r["context"]): int(r["patients"]) for r in published if r["context"]}
    infused = {c["centre"]: c["infusions"] for c in told["centres"]}
    assert infused == {r["code"]: int(r["infusions"]) for r in published if r["infusions"]}
    assert told["unexplained"] == (
        "uppsala ACT: 46 infusions of 45 patients; the list of 2025-09-08 counts 0 reinfusions, which leaves 1 "
        "infusion unexplained"
    )


TWICE = {r["personnummer"] for r in ROWS if superseded_on(r)}


@pytest.mark.parametrize(("every", "seeds"), [(8, (1,)), pytest.param(1, (2, 3, 4), marks=pytest.mark.proof)])
async def test_any_order_of_the_rows_gives_the_same_visits_day_for_day(make_ward, every, seeds):
    some = [row for n, row in enumerate(ROWS) if row["personnummer"] in TWICE or n % every == 0]
    lives = []
    for seed in (None, *seeds):
        ward, rows = make_ward(), list(some)
        if seed is not None:
            random.Random(seed).shuffle(rows)
        await enter(ward, rows, each_on_its_day=False)
        lives.append(await visits_by_person(ward))
    assert all(life == lives[0] for life in lives)
    assert sum(len(visits) for visits in lives[0].values()) >= len(some) * 16


async def visits_by_person(ward: Ward) -> dict[str, list[tuple[Any, ...]]]:
    """Every visit of every infusion, by the sender's id, without our own ids."""
    found = {}
    async with transaction.begin(ward.db, EVERYBODY, Clock(ward.today), writing=False) as tx:
        page = await infusions.find(tx, infusions.InfusionFilter(), Ask(500, ward.today))
        for item in page.items:
            told = await infusions.get(tx, item["id"])
            names = (
                "code",
                "target_on",
                "window_start",
                "window_end",
                "suggested_on",
                "state",
                "centre",
                "cancel_reason",
                "missed_reason",
            )
            visits = [tuple(v[name] for name in names) for v in told["visits"]]
            found[told["source"]["id"]] = [
                (told["infusion_number"], told["course_number"], told["reinfusion"]),
                *visits,
            ]
    return found


# ---- Small cells (contract 8) ----


def sums_of(told: dict[str, Any]) -> Iterator[Equation]:
    """What a reader may add up in a network's summary: centres to the network, contexts to their centre, states to a
    centre's visits, patients and those infused again to infusions."""
    columns: dict[object, dict[object, int]] = defaultdict(dict)
    for centre in told["centres"]:
        code, cells = centre["centre"], {}
        for name in ("infusions", "patients", "courses", "children", "reinfusions", "lost", "followed_elsewhere"):
            cells[name, "all"] = centre[name]
        cells |= {
            (name, context["context"]): context[name]
            for context in centre["by_context"]
            for name in ("infusions", "patients", "reinfusions")
        }
        cells |= {(name, "visits"): value for name, value in centre["visits"].items()}
        cells |= {
            (name, part): centre[part][name]
            for part in ("completeness", "on_time")
            for name in centre[part]
            if name != "percent"
        }
        unknown = {key: (code, *key) for key, value in cells.items() if value == "<5"}
        for key, cell in unknown.items():
            columns[key][cell] = 1
        for name in ("infusions", "patients", "reinfusions"):
            yield {cell: -1 if key[1] == "all" else 1 for key, cell in unknown.items() if key[0] == name}
        yield {cell: 1 for key, cell in unknown.items() if key[1] == "visits"}
        for context in {key[1] for key in unknown}:
            factors = {"infusions": 1, "patients": -1, "reinfusions": -1}
            yield {unknown[name, context]: factor for name, factor in factors.items() if (name, context) in unknown}
    yield from columns.values()


@pytest.mark.parametrize("day", ["2017-06-01", "2024-01-01", "2026-11-24"])
@pytest.mark.parametrize("reader", [NETWORK, Ward.member("lund")], ids=lambda reader: reader.name)
async def test_nobody_can_work_out_a_hidden_cell_of_the_sample(sample: Ward, reader: Actor, day: str):
    told = await sample.do(figures.network, date.fromisoformat(day), by=reader, writing=False)
    assert fixed([equation for equation in sums_of(told) if equation]) == set()
    whole = await sample.do(figures.network, date.fromisoformat(day), by=EVERYBODY, writing=False)
    assert {name: value for name, value in told.items() if name not in ("centres", "unexplained")} == {
        name: value for name, value in whole.items() if name not in ("centres", "unexplained")
    }
    assert "<5" in str(told)
    for hidden, plain in zip(told["centres"], whole["centres"], strict=True):
        own = reader.centres is not None and hidden["centre"] in reader.centres
        assert hidden == plain if own else not 0 < plain["patients"] < 5 or hidden["patients"] == "<5"
