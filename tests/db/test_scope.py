"""Who sees a patient (contract 3, rule 11)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, literal, select

from app.actor import Actor
from app.clock import Clock
from app.db import tables
from app.db.engine import Database
from app.db.scope import cut, seen, seen_patient
from app.db.transaction import Transaction, begin
from tests.db.rows import DAY, Chart, a_chart, a_plan, a_visit, an_event, an_infusion, nurse

OF_A_PATIENT = (
    "patients",
    "patient_identifiers",
    "infusions",
    "plans",
    "visits",
    "contacts",
    "patient_events",
    "history",
)
EVERY_TABLE = (*OF_A_PATIENT, "alerts", "events")


async def further(tx: Transaction, chart: Chart, centre: str, *, responsible: str, **told: Any) -> None:
    """A further infusion of the patient, given at `centre`, with its plan and one visit."""
    infusion = await an_infusion(tx, chart.patient, centre, **told)
    plan = await a_plan(tx, chart.patient, infusion, centre)
    beside = {"patient_id": chart.patient, "infusion_id": infusion, "plan_id": plan}
    await tx.run(insert(tables.visits), a_visit(tx, "Y01", DAY, centre=responsible, treated_at=centre) | beside)


async def beside(tx: Transaction, chart: Chart) -> None:
    """A contact, an event, an alert and a history row of the patient."""
    at = chart.visits["Y01"]
    same: dict[str, Any] = {
        "id": at,
        "patient_id": chart.patient,
        "recorded_at": tx.now,
        "recorded_on": DAY,
        "recorded_by": "anna",
    }
    await tx.run(insert(tables.contacts), {**same, "visit_id": at, "contacted_on": DAY})
    await tx.run(insert(tables.patient_events), {**same, "type": "survival", "occurred_on": DAY, "details": "{}"})
    tx.changed("patient", chart.patient, "registered", None, {}, chart.patient)


async def counts(database: Database, actor: Actor) -> dict[str, int]:
    """How many rows of each table the actor sees."""
    async with begin(database, actor, Clock(), writing=False) as tx:
        found = {}
        for name in EVERY_TABLE:
            table = tables.metadata.tables[name]
            found[name] = await tx.scalar(cut(select(func.count()).select_from(table), tx, table))
            aliased = table.alias()
            assert await tx.scalar(cut(select(func.count()).select_from(aliased), tx, aliased)) == found[name]
            assert await tx.scalar(select(func.count()).select_from(table).where(seen(tx, table))) == found[name]
    return {name: count for name, count in found.items() if count}


@pytest.fixture
async def moved(database: Database, operator: Actor) -> Chart:
    """Treated in Lund, then again in Umeå, which is responsible now; a third infusion in Uppsala was entered in
    error."""
    async with begin(database, operator, Clock()) as tx:
        chart = await a_chart(
            tx, "umea", treated_at="lund", number="198112289874", ends={"Y01": DAY, "Y02": DAY + timedelta(days=365)}
        )
        await further(tx, chart, "umea", responsible="umea")
        await further(tx, chart, "uppsala", responsible="umea", voided=True)
        await beside(tx, chart)
        for centre in ("lund", "umea"):
            tx.emit(an_event(centre=centre))
        return chart


async def test_the_responsible_centre_sees_all_of_a_patient(database: Database, moved: Chart) -> None:
    assert await counts(database, nurse("umea")) == {
        **dict.fromkeys(OF_A_PATIENT, 1),
        "infusions": 3,
        "plans": 3,
        "visits": 4,
        "events": 1,
    }


async def test_a_centre_that_gave_an_infusion_sees_the_patient_its_infusion_and_what_that_anchors(
    database: Database, moved: Chart
) -> None:
    assert await counts(database, nurse("lund")) == {
        **dict.fromkeys(OF_A_PATIENT, 1),
        "infusions": 1,
        "plans": 1,
        "visits": 2,
        "events": 1,
    }


async def test_a_voided_infusion_opens_nothing_to_its_centre(database: Database, moved: Chart) -> None:
    assert await counts(database, nurse("uppsala")) == {}


async def test_another_centre_sees_nothing(database: Database, moved: Chart) -> None:
    assert await counts(database, nurse("linkoping")) == {}
    assert await counts(database, nurse()) == {}


async def test_several_centres_see_what_each_of_them_sees(database: Database, moved: Chart, operator: Actor) -> None:
    assert await counts(database, nurse("lund", "umea")) == await counts(database, operator)
    assert await counts(database, nurse("lund", "uppsala")) == await counts(database, nurse("lund"))


async def test_a_closed_visit_opens_nothing_to_the_centre_that_was_responsible(
    database: Database, operator: Actor
) -> None:
    async with begin(database, operator, Clock()) as tx:
        chart = await a_chart(tx, "umea", ends={"Y01": DAY})
        closed = a_visit(tx, "Y02", DAY, centre="linkoping", treated_at="umea", outcome="completed")
        await tx.run(
            insert(tables.visits),
            closed | {"patient_id": chart.patient, "infusion_id": chart.infusion, "plan_id": chart.plan},
        )
    assert await counts(database, nurse("linkoping")) == {}


async def test_a_patient_is_seen_by_id_as_in_the_table(database: Database, moved: Chart, operator: Actor) -> None:
    async def sees(actor: Actor) -> bool:
        async with begin(database, actor, Clock(), writing=False) as tx:
            return bool(await tx.scalar(select(seen_patient(tx, literal(moved.patient)))))

    actors = (operator, nurse("umea"), nurse("lund"), nurse("uppsala"), nurse("linkoping"), nurse())
    assert [await sees(actor) for actor in actors] == [True, True, True, False, False, False]


async def test_the_wall_holds_for_deletes_too(database: Database, moved: Chart) -> None:
    async with begin(database, nurse("linkoping"), Clock()) as tx:
        assert await tx.run(delete(tables.contacts).where(seen(tx, tables.contacts))) == 0
    async with begin(database, nurse("lund"), Clock()) as tx:
        assert await tx.run(delete(tables.contacts).where(seen(tx, tables.contacts))) == 1


async def test_a_table_without_a_rule_cannot_be_cut(database: Database) -> None:
    others = [table for name, table in tables.metadata.tables.items() if name not in EVERY_TABLE]
    async with begin(database, nurse("lund"), Clock(), writing=False) as tx:
        for table in others:
            with pytest.raises(KeyError):
                cut(select(table), tx, table)
    assert len(others) >= 9
