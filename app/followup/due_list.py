"""The due-visits list."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import contacts as db_contacts
from app.db import visits as db_visits
from app.db.contacts import Contacted
from app.db.transaction import Transaction
from app.db.visits import DueFilter as DueFilter
from app.db.visits import ListedVisit
from app.errors import Invalid
from app.followup import catalogue, unseen, views, visibility
from app.followup.commands import Ask, Page
from app.planning.decisions import Undecided
from app.planning.facts import FollowUpStatus
from app.planning.needs_decision import DECIDED_BEFORE_WINDOW, needs_decision
from app.planning.visits import Outcome, VisitState, window

NO_CONTACTS = Contacted([], {})
# Whose closed visits people are still asked about: everybody but the dead, the withdrawn and those without an infusion.
ASKED_ABOUT = (
    FollowUpStatus.IN_FOLLOW_UP,
    FollowUpStatus.LOST,
    FollowUpStatus.ELSEWHERE,
    FollowUpStatus.PLAN_ENDED,
)


async def due(tx: Transaction, wanted: DueFilter, ask: Ask) -> Page:
    """Visits of the caller's centres by window end, then id: by default those due or overdue of patients in follow-up,
    on the walk's local day. Raises NotYourCentre for a foreign centre."""
    tx.actor.must(Act.READ_VISITS)
    if wanted.centre is not None:
        tx.actor.must_belong_to(wanted.centre)
    await _refuse_unknown(tx, wanted)
    centres = await _centres(tx, wanted)
    after: tuple[date, UUID] | None = None
    if ask.after and isinstance(ask.after[0], date) and isinstance(ask.after[1], UUID):
        after = ask.after[0], ask.after[1]
    rows = await db_visits.page(tx, wanted, centres, ask.as_of_date, after, ask.limit + 1)
    shown = rows[: ask.limit]
    last = shown[-1] if len(rows) > ask.limit else None
    place = None if last is None else (last.window_end or date.max, last.id)
    total = await db_visits.count(tx, wanted, centres, ask.as_of_date) if ask.count else None
    return Page(await _items(tx, shown, ask.as_of_date), place, total)


async def rows_of(tx: Transaction, visits: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """These visits as lists show them, in whatever state, by id; those that the caller may not see are left out."""
    tx.actor.must(Act.READ_VISITS)
    wanted = DueFilter(state=tuple(VisitState), status=tuple(FollowUpStatus), visits=tuple(visits))
    rows = await db_visits.page(tx, wanted, [], tx.today, None, len(visits)) if visits else []
    return {item["id"]: item for item in await _items(tx, rows, tx.today)}


async def row_of(tx: Transaction, visit: UUID) -> dict[str, Any]:
    """One visit as lists show it. Raises NotFound."""
    found = await rows_of(tx, [visit])
    if not found:
        raise await unseen.not_found(tx, "visit", visit)
    return found[visit]


async def _items(tx: Transaction, rows: Sequence[ListedVisit], today: date) -> list[dict[str, Any]]:
    people = {row.patient.id: row.patient for row in rows}
    protocols = await catalogue.versions(tx, {f"{row.protocol_code}@{row.protocol_version}" for row in rows})
    contacts = await db_contacts.with_patients(tx, list({row.patient.id for row in rows if row.had_contact}))
    tx.saw("due list", people)
    blocks = {patient: visibility.patient(row) for patient, row in people.items()}
    items: list[dict[str, Any]] = []
    for row in rows:
        protocol, is_protected = protocols[f"{row.protocol_code}@{row.protocol_version}"], row.patient.protected
        serialized = views.visit(protocol, row, row.patient.id, row.plan_id, row.infusion_id, today)
        item = visibility.closed(is_protected, serialized)
        item["patient"] = blocks[row.patient.id]
        had = contacts.get(row.patient.id, NO_CONTACTS) if row.had_contact else NO_CONTACTS
        # Contacts, and what has to be decided, are the responsible centre's; another that gave an infusion sees the
        # visit alone.
        whole = visibility.sees_whole(tx.actor, row.patient)
        contact = had.last_about(row.id) if whole else None
        item["last_contact"] = visibility.closed(is_protected, views.contact(contact)) if contact else None
        item["needs_decision"] = _needs_decision(row, had, today) if whole else None
        items.append(item)
    return items


def _needs_decision(row: ListedVisit, had: Contacted, today: date) -> str | None:
    """Why a person has to decide about a row, or None."""
    if row.needs_confirmation:
        return DECIDED_BEFORE_WINDOW
    within, standing = window(row.window_start, row.window_end), row.patient.standing
    if within is None or row.outcome is not None:
        return None
    if standing is not None and standing.undecided is Undecided.DECEASED_REPORTED:
        return standing.undecided.value  # before all that concerns the visit alone
    before = Outcome.MISSED if row.after_a_lapse and within.end < today else None
    return needs_decision(within, before, had.contacts, standing.last_heard_on if standing else None, today)


async def _refuse_unknown(tx: Transaction, wanted: DueFilter) -> None:
    """A mistyped code is refused, so that an empty list means that there is nothing to do."""
    for name, code, find in (
        ("centre", wanted.centre, catalogue.centre_of),
        ("product", wanted.product, catalogue.product_of),
    ):
        if code is not None and await find(tx, code) is None:
            raise Invalid(f"There is no such {name}.", field=name, code=f"unknown_{name}")


async def _centres(tx: Transaction, wanted: DueFilter) -> list[str]:
    """One centre by its index range; several are merged; of every centre, the centres of the catalogue."""
    if wanted.centre is not None:
        return [wanted.centre]
    if tx.actor.centres is not None:
        return sorted(tx.actor.centres)
    return sorted(centre["code"] for centre in await catalogue.all_centres(tx))
