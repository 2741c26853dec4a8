"""The due list on paper and as a table for other programs: the same rows as on the screen, but for protected
identities."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.actor import Act
from app.http.deps import Needs, Transaction, reading
from app.pages import words
from app.pages.due_list import Chosen, Filters, Item, Selection, select
from app.pages.page import PageRoute, frame, language_of, render, translations

router = APIRouter(include_in_schema=False, route_class=PageRoute)

COLUMNS = (
    "name",
    "number",
    "phone",
    "visit",
    "window_start",
    "window_end",
    "state",
    "days_overdue",
    "booked_on",
    "outcome",
    "contacted_on",
)
_RUNS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula


@router.get("/due/print", dependencies=[Needs(Act.READ_VISITS)])
@router.get("/due.csv", dependencies=[Needs(Act.READ_VISITS)])
async def due(request: Request, chosen: Chosen) -> Response:
    """The list as the filters leave it, for paper or as a file."""
    async with reading(request) as read:
        selected = await select(read.tx, chosen)
        answer = _file if request.url.path == "/due.csv" else _paper
        return await answer(request, read.tx, chosen, selected)


async def _paper(request: Request, tx: Transaction, chosen: Filters, selected: Selection) -> Response:
    groups = {group: items for group, rows in selected.groups.items() if (items := _open(rows))}
    rows = [item for items in groups.values() for item in items]
    tx.saw("due list printed", [item["patient"]["id"] for item in rows])
    facts = await frame(request, tx)
    return render(
        request,
        "due_print.html",
        **facts,
        centre=selected.centre,
        filters=chosen,
        groups=groups,
        kept_back=_kept_back(selected),
    )


async def _file(request: Request, tx: Transaction, chosen: Filters, selected: Selection) -> Response:
    rows = [item for items in selected.groups.values() for item in _open(items)]
    tx.saw("due list exported", [item["patient"]["id"] for item in rows])
    name = f"follow-up-{selected.centre['code']}-{tx.today}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(
        table(rows, language_of(request)).encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers
    )


def _open(rows: Iterable[Item]) -> list[Item]:
    return [item for item in rows if not item["patient"]["protected"]]


def _kept_back(selected: Selection) -> int:
    """How many patients with a protected identity the screen shows."""
    return len(
        {item["patient"]["id"] for rows in selected.groups.values() for item in rows if item["patient"]["protected"]}
    )


def table(rows: Iterable[Item], language: str) -> str:
    """The rows as spreadsheets of this country read them: semicolons, and the head in the reader's language."""
    say = translations(language).gettext
    text = StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow([harmless(say(words.word("column", column))) for column in COLUMNS])
    for item in rows:
        writer.writerow([harmless(cell) for cell in _cells(item, language)])
    return text.getvalue()


def _cells(item: Item, language: str) -> Iterator[object]:
    say, patient, contact = translations(language).gettext, item["patient"], item["last_contact"] or {}
    yield from (patient["name"], patient["masked_number"], patient["phone"], item["label"][language])
    yield from (
        item["window_start"],
        item["window_end"],
        say(words.word("state", item["state"])),
        item["days_overdue"],
        item["booked_on"],
    )
    yield say(words.word("outcome", contact["outcome"])) if contact.get("outcome") else ""
    yield contact.get("contacted_on")


def harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: whatever looks like the beginning of one gets an apostrophe."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_RUNS) else text
