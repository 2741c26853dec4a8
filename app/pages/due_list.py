"""The due list: what a nurse opens every morning and works off. A row and its forms are the same page, or with script a
part of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from app.actor import Act
from app.clock import ZONE, midnight_after
from app.errors import FollowUpError, NotFound, StaleVersion
from app.followup import audit, catalogue, contacts, decisions, due_list, visits
from app.followup.commands import Ask, Reason
from app.followup.contacts import NewContact
from app.followup.decisions import UndecidedFilter
from app.followup.due_list import DueFilter
from app.followup.visits import Booking, Completion, Confirmed, NotRequired
from app.http.deps import Needs, Transaction, reading, writing
from app.pages import forms
from app.pages.page import (
    PageRoute,
    address,
    back_to,
    frame,
    in_weeks,
    is_fragment,
    language_of,
    macro,
    render,
    session_of,
)
from app.planning.needs_decision import DECIDED_BEFORE_WINDOW
from app.planning.reminders import proposed, sleeps
from app.planning.visits import VisitState

router = APIRouter(include_in_schema=False, route_class=PageRoute)

GROUPS = ("decision", "overdue", "now", "opening", "asleep")
OPENS_WITHIN = timedelta(days=30)
MOST_ROWS = 500
ROWS_KEPT = 2_000  # some 4 kB each, with their facts
DONE_SHOWN = 5  # of what the reader did today
_UNDOABLE = frozenset({"booked", "completed", "missed", "cancelled"})
Item = Mapping[str, Any]
Word = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to, as it stands in the address. Empty means everything. A name is none: it would stay
    in the browser's history."""

    centre: Word = None
    group: Word = None
    visit: Word = None
    product: Word = None
    booked: Word = None
    contact: Word = None

    def address(self, **other: str | None) -> str:
        """The list's address with these filters, some of them changed; None leaves one out."""
        return address("/", {name: getattr(self, name) for name in self.__slots__} | other)

    @property
    def opens(self) -> str:
        """The beginning of the address at which a row stands open; the visit's id follows."""
        return f"{self.address()}{'&' if any(getattr(self, name) for name in self.__slots__) else '?'}row="

    def chosen(self) -> dict[str, str]:
        """The filters that narrow the list, but for the centre."""
        return {name: value for name in self.__slots__ if name != "centre" and (value := getattr(self, name))}


Chosen = Annotated[Filters, Depends()]


@dataclass(frozen=True, slots=True)
class Selection:
    """What of one centre's list is chosen: all rows that fit, those that are shown by group, how many of each there
    are, whether the list was cut, and the patients that need a decision beside their visits."""

    centre: Mapping[str, Any]
    items: list[Item]
    groups: Mapping[str, list[Item]]
    counts: Mapping[str, int]
    is_cut: bool
    undecided: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Form:
    """The form that stands open under a row: which, what was filled in, and what was refused."""

    visit: UUID
    name: str
    given: Mapping[str, str] = field(default_factory=dict)
    refusal: FollowUpError | None = None


@router.get("/", dependencies=[Needs(Act.READ_VISITS)])
async def show_due_list(request: Request, chosen: Chosen, form: Word = None, row: UUID | None = None) -> Response:
    """The list of one centre; with `row` and `form` one row stands open, and with script only that row is sent."""
    async with reading(request) as read:
        opened = Form(row, form) if row and form else None
        if row is not None and is_fragment(request):
            return await _row(request, read.tx, chosen, row, opened)
        return await _page(request, read.tx, chosen, opened)


async def _page(
    request: Request, tx: Transaction, chosen: Filters, form: Form | None = None, status: int = 200
) -> Response:
    selected = await select(tx, chosen)
    language, session = language_of(request), session_of(request)
    shown = {item["id"] for rows in selected.groups.values() for item in rows}
    moved = await _moved(tx, chosen, selected.centre["code"])
    return render(
        request,
        "due_list.html",
        status,
        **await frame(request, tx),
        centre=selected.centre,
        centres=[
            c for c in await catalogue.all_centres(tx) if tx.actor.centres is None or c["code"] in tx.actor.centres
        ],
        products=(await catalogue.products(tx))["items"],
        filters=chosen,
        groups=selected.groups,
        counts={**selected.counts, "decision": selected.counts["decision"] + len(moved)},
        moved=moved,
        undecided=selected.undecided,
        total=len(selected.items),
        is_cut=selected.is_cut,
        opening=await _next_opening(tx, selected.centre["code"]) if not selected.items else None,
        form=form,
        refused=form.refusal if form and form.visit not in shown else None,
        done=await _done_today(tx),
        propose=proposed,
        closed=lambda item: _closed(_Closed(orjson.dumps(item), language, session.hide_names, tx.today, chosen, item)),
    )


async def select(tx: Transaction, chosen: Filters) -> Selection:
    """What the filters leave of one centre's list, in groups. Raises NotYourCentre, NotFound."""
    centre = await _centre(tx, chosen.centre)
    wanted = DueFilter(
        state=(VisitState.PLANNED, VisitState.DUE, VisitState.OVERDUE),
        centre=centre["code"],
        opens_to=tx.today + OPENS_WITHIN,
        product=chosen.product,
        booked=None if chosen.booked is None else chosen.booked == "yes",
    )
    page = await due_list.due(tx, wanted, Ask(MOST_ROWS, tx.today))
    items = [item for item in page.items if _is_wanted(item, chosen)]
    grouped: dict[str, list[Item]] = {group: [] for group in GROUPS}
    for item in items:
        grouped[group_of(item, tx)].append(item)
    shown = {group: rows for group, rows in grouped.items() if rows and chosen.group in (None, group, "unbooked")}
    undecided = [] if set(chosen.chosen()) - {"group"} else await _undecided(tx, centre["code"], grouped["decision"])
    counts = _counts(items, len(grouped["decision"]) + len(undecided))
    return Selection(
        centre, items, shown, counts, page.next is not None, undecided if chosen.group in (None, "decision") else []
    )


async def _undecided(tx: Transaction, centre: str, rows: Sequence[Item]) -> list[Item]:
    """The patients that need a decision, but for a reported death that a row of theirs tells already."""
    page = await decisions.undecided(tx, UndecidedFilter(centre=centre), Ask(MOST_ROWS, tx.today))
    reported = {row["patient"]["id"] for row in rows if row["needs_decision"] == "deceased-reported"}
    return [item for item in page.items if item["needs_decision"] != "deceased-reported" or item["id"] not in reported]


def _is_wanted(item: Item, chosen: Filters) -> bool:
    if chosen.visit and (item["code"] == "W4") != (chosen.visit == "response"):
        return False
    if chosen.group == "unbooked" and item["booked_on"] is not None:
        return False
    return not chosen.contact or (item["last_contact"] is not None) == (chosen.contact == "tried")


def group_of(item: Item, tx: Transaction) -> str:
    """Where a row stands: in the group of its state, unless it waits for a decision or sleeps."""
    contact = item["last_contact"]
    if item["needs_decision"] == "deceased-reported":
        return "decision"
    if contact is not None and sleeps(contact["remind_on"], item["window_end"], tx.today):
        return "asleep"
    if item["needs_decision"]:
        return "decision"
    return {"overdue": "overdue", "due": "now", "planned": "opening"}.get(item["state"], "now")


def _counts(items: list[Item], decisions: int) -> dict[str, int]:
    """How many of each; a row that sleeps still counts by its state."""
    states = [item["state"] for item in items]
    return {
        "overdue": states.count("overdue"),
        "now": states.count("due"),
        "opening": states.count("planned"),
        "unbooked": sum(item["booked_on"] is None for item in items),
        "decision": decisions,
    }


async def _centre(tx: Transaction, wanted: str | None) -> Mapping[str, Any]:
    """The centre that was asked for, else the first of the reader's own. Raises NotYourCentre, NotFound."""
    if wanted is not None:
        tx.actor.must_belong_to(wanted)
    own = [c for c in await catalogue.all_centres(tx) if tx.actor.centres is None or c["code"] in tx.actor.centres]
    found = next((c for c in own if wanted in (None, c["code"])), None)
    if found is None:
        raise NotFound("There is no such centre.")
    return found


async def _next_opening(tx: Transaction, centre: str) -> Item | None:
    """The visit whose window opens next, for a list with nothing to do."""
    ahead = DueFilter(state=(VisitState.PLANNED,), centre=centre, opens_to=tx.today + timedelta(days=730))
    page = await due_list.due(tx, ahead, Ask(MOST_ROWS, tx.today))
    return min(page.items, key=lambda item: item["window_start"], default=None)


async def _moved(tx: Transaction, chosen: Filters, centre: str) -> Sequence[Item]:
    """The visits that were closed before their window, as a date that came later has moved it, and that nobody has
    confirmed."""
    if chosen.group not in (None, "decision"):
        return []
    wanted = DueFilter(
        state=tuple(VisitState),
        status=due_list.ASKED_ABOUT,
        needs_decision=(DECIDED_BEFORE_WINDOW,),
        centre=centre,
        product=chosen.product,
    )
    return (await due_list.due(tx, wanted, Ask(MOST_ROWS, tx.today))).items


async def _done_today(tx: Transaction) -> list[dict[str, Any]]:
    """What the reader did today, newest first, each visit once, with the form that undoes it."""
    morning = midnight_after(tx.now.astimezone(ZONE).date() - timedelta(days=1))
    changes = await audit.visit_changes(tx, morning, 20, actor_id=tx.actor.id)
    last = {change.visit: change for change in reversed(changes) if change.act in _UNDOABLE}
    rows = await due_list.rows_of(tx, last)
    shown = [change for change in changes if last.get(change.visit) is change and change.visit in rows]
    return [{"at": c.at, "act": c.act, "visit": rows[c.visit], "before": c.before} for c in shown[:DONE_SHOWN]]


# ---- Rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Closed:
    """All that a row without a form is made of, its facts as text too: a row that was made of the same is the same, and
    is not made again."""

    text: bytes
    language: str
    hide_names: bool
    today: date
    filters: Filters
    item: Item = field(compare=False)


@lru_cache(maxsize=ROWS_KEPT)
def _closed(row: _Closed) -> Markup:
    weeks = in_weeks(row.today)
    made = macro("rows.html", "row", row.language)
    return made(
        row.item, row.filters, None, row, None, row.language, row.today, weeks["week"], weeks["weeks"], proposed, None
    )


async def _row(
    request: Request,
    tx: Transaction,
    chosen: Filters,
    visit: UUID,
    form: Form | None = None,
    said: str | None = None,
    status: int = 200,
) -> Response:
    item = await due_list.row_of(tx, visit)
    facts = await frame(request, tx)
    return render(
        request,
        "row.html",
        status,
        **facts,
        item=item,
        filters=chosen,
        form=form,
        said=said,
        propose=proposed,
        changed=await _changed(tx, visit, form),
    )


async def _changed(tx: Transaction, visit: UUID, form: Form | None) -> audit.Change | None:
    """Who changed the visit last, for a form that came too late."""
    if form is None or not isinstance(form.refusal, StaleVersion):
        return None
    found = await audit.visit_changes(tx, tx.now - timedelta(days=1), 1, visit=visit)
    return found[0] if found else None


async def _act(
    request: Request, visit: UUID, name: str, given: Mapping[str, str], act: Callable[[Transaction], Awaitable[None]]
) -> Response:
    """Does what a form asks for and shows the row as it is now; refused, the form stands open with what was filled
    in."""
    chosen = _filters(given)
    try:
        async with writing(request) as tx:
            await act(tx)
    except FollowUpError as refusal:
        form = Form(visit, name, given, refusal)
        async with reading(request) as read:
            if is_fragment(request):
                return await _row(request, read.tx, chosen, visit, form, status=422)
            return await _page(request, read.tx, chosen, form, status=422)
    if is_fragment(request):
        async with reading(request) as read:
            return await _row(request, read.tx, chosen, visit, said=name)
    return back_to(f"{chosen.address()}#v-{visit}")


def _filters(given: Mapping[str, str]) -> Filters:
    """The filters of the list that a form was sent from."""
    values = dict(parse_qsl(given.get("back", "")))
    return Filters(**{name: values.get(name) for name in Filters.__slots__})


@router.post("/visits/{visit_id}/book", dependencies=[Needs(Act.WORK_VISIT)])
async def book(request: Request, visit_id: UUID) -> Response:
    """Notes the agreed day; an empty one takes it back."""
    given = await forms.fields(request)

    async def act(tx: Transaction) -> None:
        booking = forms.command(Booking, {"booked_on": given.get("booked_on")})
        await visits.book(tx, visit_id, booking, version=forms.version(given))

    return await _act(request, visit_id, "book", given, act)


@router.post("/visits/{visit_id}/complete", dependencies=[Needs(Act.COMPLETE_VISIT)])
async def complete(request: Request, visit_id: UUID) -> Response:
    """Marks a visit as done; what must be confirmed first is asked in the form."""
    given = await forms.fields(request)

    async def act(tx: Transaction) -> None:
        fields = {name: given[name] for name in ("completed_on", "response", "mode") if name in given}
        confirmed = [code for code in ("window_not_open", "nearer_to_next") if code in given]
        await visits.complete(
            tx, visit_id, forms.command(Completion, fields | {"confirm": confirmed}), version=forms.version(given)
        )

    return await _act(request, visit_id, "complete", given, act)


@router.post("/visits/{visit_id}/contacts", dependencies=[Needs(Act.WORK_VISIT)])
async def log_contact(request: Request, visit_id: UUID) -> Response:
    """Logs an attempt to reach the patient, or the day to be reminded."""
    given = await forms.fields(request)

    async def act(tx: Transaction) -> None:
        names = (
            ("remind_on", "note")
            if given.get("outcome") == "postponed"
            else ("channel", "outcome", "remind_on", "note")
        )
        fields: dict[str, object] = {name: given[name] for name in names if name in given}
        await contacts.log_about_visit(tx, visit_id, forms.command(NewContact, fields))

    return await _act(request, visit_id, "contact", given, act)


@router.post("/visits/{visit_id}/miss", dependencies=[Needs(Act.WORK_VISIT)])
async def miss(request: Request, visit_id: UUID) -> Response:
    """Closes a visit that will never take place, or with `not_required` one that the protocol no longer asks for."""
    given = await forms.fields(request)

    async def act(tx: Transaction) -> None:
        if "not_required" in given:
            await visits.cancel(
                tx, visit_id, forms.command(NotRequired, {"reason": "not-required"}), version=forms.version(given)
            )
        else:
            fields = {"reason": given["reason"]} if "reason" in given else {}
            await visits.miss(tx, visit_id, forms.command(Reason, fields), version=forms.version(given))

    return await _act(request, visit_id, "miss", given, act)


@router.post("/visits/{visit_id}/confirm", dependencies=[Needs(Act.WORK_VISIT)])
async def confirm(request: Request, visit_id: UUID) -> Response:
    """Says that a visit which was closed before its window holds all the same."""
    given = await forms.fields(request)

    async def act(tx: Transaction) -> None:
        await visits.confirm(
            tx, visit_id, forms.command(Confirmed, {"codes": ["window_not_open"]}), version=forms.version(given)
        )

    return await _act(request, visit_id, "confirm", given, act)


@router.post("/visits/{visit_id}/reopen", dependencies=[Needs(Act.WORK_VISIT)])
async def reopen(request: Request, visit_id: UUID) -> Response:
    """Takes back what a person decided."""
    given = await forms.fields(request)

    async def act(tx: Transaction) -> None:
        await visits.reopen(tx, visit_id, Reason(reason="undone in the list"), version=forms.version(given))

    return await _act(request, visit_id, "reopen", given, act)


# ---- The list as others need it --------------------------------------------------------------------------------------


@router.get("/due/changes", dependencies=[Needs(Act.READ_VISITS)])
async def changes(
    request: Request, since: Annotated[float, Query(ge=0, le=10_000_000_000)], day: date | None = None
) -> Response:
    """How many visits others have changed since the list was made (seconds of the epoch), and whether the day has
    changed; no more, so that no row moves under a hand."""
    async with reading(request) as read:
        found = await audit.visit_changes(read.tx, datetime.fromtimestamp(since, UTC), 200)
        by_others = {change.visit for change in found if change.actor_id != read.tx.actor.id}
        return render(
            request, "changes.html", count=len(by_others), since=since, day=day or read.tx.today, today=read.tx.today
        )
