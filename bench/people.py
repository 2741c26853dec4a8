"""A nation of made-up patients: each with one infusion of the last fifteen years and its visits, planned by the
service's own rules.

Most of what lies behind is left undone, so that there are many overdue visits to list and to flag. Numbers have serials
that nobody gets.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from app.db import seed
from app.db.columns import Keys, new_id
from app.planning.decisions import silent_since
from app.planning.plan import Planned, schedule
from app.planning.protocol import parse, published

TODAY = date(2026, 11, 23)
PRODUCT = "axicabtagene-ciloleucel"
PROTOCOL = next(protocol for protocol in map(parse, published()) if protocol.code == "ltfu-15y")
DONE = 0.35  # of the visits whose window has ended
FIFTEEN_YEARS = 15 * 365

CENTRES = [row["code"] for row in seed.centre_rows() if row["status"] == "active"]
Rows = Iterator[tuple[str, dict[str, Any]]]


def number(nth: int) -> str:
    """A personnummer in its canonical form, with a serial of 980 to 999, which are given to nobody."""
    born = date(1940, 1, 1) + timedelta(days=nth // 20)
    digits = f"{born:%y%m%d}{980 + nth % 20}"
    doubled = [int(d) * (2 - n % 2) for n, d in enumerate(digits)]
    return f"{born:%Y%m%d}{980 + nth % 20}{-sum(d - 9 * (d > 9) for d in doubled) % 10}"


def nation(patients: int, keys: Keys) -> Rows:
    """Every row of so many patients, parents first, each with the name of its table."""
    chance = Random(patients)
    for nth in range(patients):
        infused = TODAY - timedelta(days=chance.randint(30, FIFTEEN_YEARS))
        yield from _patient(nth, CENTRES[nth % len(CENTRES)], infused, chance, keys)


def _standing(nth: int, infused: date, planned: Sequence[Planned], done: Collection[str]) -> dict[str, Any]:
    """What is stored of a patient's silence. Of some at each centre, the same number in every nation, the plan has
    ended and nobody has decided."""
    heard_on = max([infused, *[visit.target_on for visit in planned if visit.code in done]])
    quiet_until = min((visit.window_start for visit in planned if visit.code not in done), default=infused) - timedelta(
        days=30
    )
    is_over = nth < 50 * len(CENTRES)
    return {
        "last_heard_on": heard_on,
        "undecided": "plan-ended" if is_over else None,
        "undecided_since": heard_on if is_over else None,
        "quiet_until": quiet_until if quiet_until > silent_since(heard_on) and not is_over else None,
    }


def _patient(nth: int, centre: str, infused: date, chance: Random, keys: Keys) -> Rows:
    at = datetime.combine(infused, time(9), UTC)
    patient, infusion, plan, told = new_id(), new_id(), new_id(), number(nth)
    planned = schedule(PROTOCOL, infused, infused + timedelta(days=14), None, TODAY)
    done = {visit.code for visit in planned if visit.window_end < TODAY and chance.random() < DONE}
    person = {
        "name": f"Test {nth}",
        "birth_date": f"{told[:4]}-{told[4:6]}-{told[6:8]}",
        "phone": "070-174 06 05",
        "identifiers": [{"system": "personnummer", "value": told, "since": infused.isoformat()}],
        "contact_persons": [],
        "preferred_channel": None,
    }
    common = {"patient_id": patient, "version": 1, "changed_at": at}
    yield (
        "patients",
        common
        | {
            "id": patient,
            "sealed": keys.seal(person, f"patient:{patient}"),
            "key_id": keys.current,
            "protected": False,
            "status": "in-follow-up",
            "responsible_centre": centre,
            "registered_at": at,
        }
        | _standing(nth, infused, planned, done),
    )
    yield "patient_identifiers", common | {"blind": keys.blind("personnummer", told), "system": "personnummer"}
    yield (
        "infusions",
        common
        | {
            "id": infusion,
            "centre": centre,
            "product": PRODUCT,
            "context": "SOC",
            "infused_on": infused,
            "discharged_on": infused + timedelta(days=14),
            "new_course": False,
            "source_system": "bench",
            "source_id": f"seeded-{nth}",
            "request": os.urandom(400),
            "child": False,
            "infusion_number": 1,
            "course_number": 1,
            "reinfusion": False,
            "registered_on": infused,
            "registered_at": at,
            "voided": False,
        },
    )
    protocol = {"protocol_code": PROTOCOL.code, "protocol_version": PROTOCOL.version, "purpose": PROTOCOL.purpose.value}
    common |= {"infusion_id": infusion, "treating_centre": centre, **protocol}
    yield (
        "plans",
        common
        | {
            "id": plan,
            "plan_class": "gene-modified-cells",
            "consent": "not-needed",
            "state": "active",
            "ends_on": planned[-1].window_end,
            "endless": False,
        },
    )
    for visit in planned:
        facts = {
            "outcome": "completed",
            "decided_by": "bench",
            "decided_at": datetime.combine(visit.target_on, time(12), UTC),
            "decided_on": visit.target_on,
            "completed_on": visit.target_on,
            "completed_mode": "visit",
            "performed_by": "own-centre",
        }
        own = {"id": new_id(), "plan_id": plan, "centre": centre, "end_centre": centre}
        yield (
            "visits",
            common | visit._asdict() | own | (facts if visit.code in done else {"alert_after": visit.window_end}),
        )
