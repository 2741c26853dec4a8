"""The preview of an infusion: what recording it would make and change; nothing is stored."""

from dataclasses import replace
from typing import Any

from app.actor import Act
from app.db import patients as db_patients
from app.db.transaction import Transaction
from app.errors import FieldError
from app.followup import catalogue, effects, identity, recording, views, visibility
from app.followup.infusion_fields import NewInfusion


async def preview(tx: Transaction, new: NewInfusion) -> dict[str, Any]:
    """What recording would make and change. Of a person known elsewhere it says only that (rule 11). Raises as
    recording does."""
    tx.actor.must(Act.RECORD_INFUSION)
    unreadable: list[FieldError] = []
    person = recording.described(tx, new, unreadable)
    await recording.check(tx, new, person, unreadable)
    known = None if person is None else await identity.find(tx, person, new.centre)
    found = await recording.propose(tx, new, person, known)
    unseen_known = known is not None and not await db_patients.seen_of(tx, [known.id])
    if known is not None and unseen_known:
        # Refused as recording would be; the answer is what a person of no other centre would get.
        tx.saw("infusion preview: known elsewhere", [known.id])
        found = await recording.propose(tx, new.model_copy(update={"continues": None}), person, None)
    before, patient = found.before, found.proposed.patient.id
    if before is not None:
        tx.saw("infusion preview", [before.patient.id])
        before = replace(before, plans=tuple(visibility.own_plans(tx.actor, before)))
    return {
        "as_of_date": tx.today,
        "plans": [views.plan(plan, patient) for plan in found.plans],
        "visits": views.visits(await catalogue.protocols(tx), found.plans, patient, tx.today),
        "changes": effects.effects(before, found.decided, tx.today),
        "dropped_bookings": effects.dropped_bookings(before, found.decided),
        "warnings": found.warnings,
        "known_elsewhere": unseen_known,
    }
