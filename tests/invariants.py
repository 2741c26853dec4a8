"""What holds in every database of the service, whatever happened to the process: `check_invariants`, in plain SQL,
without code of `app`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import Any

import psycopg

from tests.years.schedule import PROTOCOLS

# Each question finds what must not be. `:today` is a day in quotes; ids are compared as text, with or without dashes.
QUESTIONS = {
    "an open visit past its window, of a patient in follow-up or lost, has no unresolved alert": """
        SELECT v.id FROM visits v JOIN patients p ON p.id = v.patient_id
        WHERE v.outcome IS NULL AND v.window_end < :today AND p.status IN ('in-follow-up', 'lost') AND NOT :waiting
          AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.visit_id = v.id AND a.state <> 'resolved')""",
    "a visit has two unresolved alerts": """
        SELECT visit_id FROM alerts WHERE state <> 'resolved' GROUP BY visit_id HAVING count(*) > 1""",
    "an unresolved alert has no open visit of a patient in follow-up or lost": """
        SELECT a.id FROM alerts a JOIN visits v ON v.id = a.visit_id JOIN patients p ON p.id = a.patient_id
        WHERE a.state <> 'resolved' AND (v.outcome IS NOT NULL OR p.status NOT IN ('in-follow-up', 'lost'))""",
    "an unresolved alert tells another centre, window or code than its visit": """
        SELECT a.id FROM alerts a JOIN visits v ON v.id = a.visit_id
        WHERE a.state <> 'resolved' AND (a.centre <> v.centre OR a.window_end <> v.window_end OR a.code <> v.code
          OR a.patient_id <> v.patient_id OR a.purpose <> v.purpose)""",
    "a lost patient's alert is open": """
        SELECT a.id FROM alerts a JOIN patients p ON p.id = a.patient_id WHERE a.state = 'open'
        AND p.status = 'lost'""",
    "an alert waits to be raised and is there already": """
        SELECT v.id FROM visits v JOIN alerts a ON a.visit_id = v.id WHERE v.alert_after IS NOT NULL
        AND a.state <> 'resolved'""",
    "events are not numbered 1 to n": """
        SELECT last_seq FROM feed_head
        WHERE last_seq <> (SELECT count(*) FROM events) OR last_seq <> (SELECT coalesce(max(seq), 0) FROM events)
          OR 1 < (SELECT min(seq) FROM events)""",
    "an event's time goes back": """
        SELECT b.seq FROM events a JOIN events b ON b.seq = a.seq + 1 WHERE b.at < a.at""",
    "the last event of an alert tells another state": """
        SELECT a.id FROM alerts a
        WHERE a.state <> coalesce((SELECT e.state FROM events e
        WHERE e.alert_id = a.id ORDER BY e.seq DESC LIMIT 1), 'no event')""",
    "an event of no alert": """
        SELECT e.seq FROM events e WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.id = e.alert_id
        AND a.visit_id = e.visit_id)""",
    "an infusion does not have exactly one fact of its recording in the history": """
        SELECT i.id FROM infusions i
        WHERE 1 <> (SELECT count(*) FROM history h WHERE h.kind = 'infusion' AND h.act = 'recorded'
          AND replace(h.object_id, '-', '') = replace(CAST(i.id AS TEXT), '-', ''))""",
    "an infusion that counts, of a product with a protocol, anchors no care plan": """
        SELECT i.id FROM infusions i JOIN products r ON r.code = i.product
        WHERE NOT i.voided AND r.protocol IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM plans q WHERE q.infusion_id = i.id AND q.purpose = 'care')""",
    "an open visit of a dead or withdrawn patient": """
        SELECT v.id FROM visits v JOIN patients p ON p.id = v.patient_id
        WHERE v.outcome IS NULL AND p.status IN ('deceased', 'withdrawn') AND v.purpose = 'care'""",
    "an open visit of a voided infusion": """
        SELECT v.id FROM visits v JOIN infusions i ON i.id = v.infusion_id WHERE v.outcome IS NULL AND i.voided""",
    "an open visit in another centre than its patient": """
        SELECT v.id FROM visits v JOIN patients p ON p.id = v.patient_id WHERE v.outcome IS NULL
        AND v.centre <> p.responsible_centre""",
    "a visit, its plan and its infusion tell different things": """
        SELECT v.id FROM visits v JOIN plans q ON q.id = v.plan_id JOIN infusions i ON i.id = v.infusion_id
        WHERE q.infusion_id <> v.infusion_id OR q.patient_id <> v.patient_id OR i.patient_id <> v.patient_id
          OR q.protocol_code <> v.protocol_code OR q.protocol_version <> v.protocol_version OR q.treating_centre <>
          i.centre""",
    "somebody in follow-up whose care visits are over stands on no list, and nobody has decided": """
        SELECT p.id FROM patients p WHERE p.status = 'in-follow-up' AND p.undecided IS NULL
          AND NOT EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = p.id AND v.outcome IS NULL AND v.purpose = 'care')
          AND NOT EXISTS (SELECT 1 FROM patient_events e WHERE e.patient_id = p.id AND e.type = 'decided')""",
    "the plan of somebody with an open care visit, or of somebody not in follow-up, has ended": """
        SELECT p.id FROM patients p WHERE p.undecided IN ('plan-ended', 'no-plan') AND (p.status <> 'in-follow-up'
          OR EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = p.id AND v.outcome IS NULL AND v.purpose = 'care'))""",
    "somebody is quiet and has a booked visit, or one that opens before the quiet ends": """
        SELECT p.id FROM patients p JOIN visits v ON v.patient_id = p.id AND v.outcome IS NULL
        WHERE p.quiet_until IS NOT NULL AND (p.status <> 'in-follow-up' OR v.booked_on IS NOT NULL OR v.window_start <
        p.quiet_until)""",
    "somebody was heard of later than is told": """
        SELECT p.id FROM patients p LEFT JOIN visits v ON v.patient_id = p.id AND v.outcome = 'completed'
        LEFT JOIN infusions i ON i.patient_id = p.id AND NOT i.voided
        WHERE p.last_heard_on IS NULL OR v.completed_on > p.last_heard_on OR i.infused_on > p.last_heard_on OR
        i.discharged_on > p.last_heard_on""",
    "a window is empty or its target outside": """
        SELECT id FROM visits WHERE NOT (window_start <= target_on AND target_on <= window_end)""",
    "a done visit without its day, or a day without a done visit": """
        SELECT id FROM visits WHERE (completed_on IS NOT NULL) <> coalesce(outcome = 'completed', :no)""",
}
PLANNED = """
    SELECT q.id, q.protocol_code, v.code, v.outcome = 'cancelled' AND v.reason = 'entered-in-error' FROM plans q
    LEFT JOIN visits v ON v.plan_id = q.id WHERE q.consent = 'not-needed'"""


@contextmanager
def _rows(database: Any) -> Iterator[Any]:
    """A way to ask; for an URL through a connection of its own."""
    if not isinstance(database, str):
        yield lambda statement: database.execute(statement).fetchall()
    elif database.startswith("sqlite"):
        with closing(sqlite3.connect(database.partition("///")[2])) as connection:
            yield lambda statement: connection.execute(statement).fetchall()
    else:
        with psycopg.connect(database) as other:
            yield lambda statement: other.execute(statement.encode()).fetchall()


def check_invariants(database: Any, today: date, *, swept: bool = True) -> None:
    """Raises AssertionError with all that is wrong. `database`: a URL, or a connection of sqlite3 or psycopg. Until the
    day's sweep is over (`swept` False), what waits for it need not have its alert."""
    waiting = "(0 = 1)" if swept else f"(v.alert_after IS NOT NULL AND v.alert_after < '{today}')"
    wrong: list[str] = []
    with _rows(database) as ask:
        for what, question in QUESTIONS.items():
            statement = question.replace(":today", f"'{today}'").replace(":waiting", waiting).replace(":no", "(0 = 1)")
            if found := ask(statement):
                wrong.append(f"{what}: {len(found)}, as {found[0][0]}")
        wrong += _wrong_plans(ask(PLANNED))
    assert not wrong, "\n".join(wrong)


def _wrong_plans(rows: list[Any]) -> Iterator[str]:
    """A plan has each visit of its protocol once; besides, only what it dropped when it followed another protocol
    before."""
    visits: dict[Any, list[tuple[str, bool]]] = {}
    for plan, protocol, code, is_dropped in rows:
        visits.setdefault((plan, protocol), []).append((code, is_dropped))
    for (plan, protocol), found in visits.items():
        codes = [code for code, _ in found]
        if (known := PROTOCOLS.get(protocol)) is None:
            continue
        ruled = {rule.code for rule in known.rules}
        beyond = [code for code, is_dropped in found if code not in ruled and not is_dropped]
        if not ruled <= set(codes) or len(set(codes)) < len(codes) or (beyond and not known.endless):
            yield f"the plan {plan} of {protocol} has the visits {codes}"
