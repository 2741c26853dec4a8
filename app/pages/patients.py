"""Patients: found by a number in any form or by a part of the name. What is looked for stands in a body, so that no
number is in an address."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import identifiers
from app.actor import Act
from app.errors import FieldError, Invalid
from app.followup import catalogue, patients
from app.followup.patients import Search
from app.http.deps import Needs, Transaction, reading
from app.pages import forms
from app.pages.page import PageRoute, back_to, frame, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Item = Mapping[str, Any]
_SWEDISH = str.maketrans({"å": "{", "ä": "|", "æ": "|", "ö": "}", "ø": "}"})  # the characters behind z


@router.get("/patients", dependencies=[Needs(Act.READ_PATIENTS)])
async def form(request: Request) -> Response:
    """The form alone; nobody is listed."""
    async with reading(request) as read:
        return await _page(request, read.tx, "")


@router.post("/patients", dependencies=[Needs(Act.READ_PATIENTS)])
async def find(request: Request) -> Response:
    """Who is found; by number, straight to the patient."""
    asked = (await forms.fields(request)).get("q", "")
    async with reading(request) as read:
        try:
            found = await patients.search(read.tx, search_of(asked))
        except Invalid as refusal:
            return await _page(request, read.tx, asked, faults=refusal.errors)
        if is_number(asked) and found["items"]:
            return back_to(f"/patients/{found['items'][0]['id']}")
        return await _page(request, read.tx, asked, found)


def is_number(asked: str) -> bool:
    """Whether a number is meant: names have no figures."""
    return any(character.isdigit() for character in asked)


def search_of(asked: str) -> Search:
    """The question that was typed. Raises Invalid."""
    number = {"identifier": {"system": identifiers.system_of(asked), "value": asked}}
    return forms.command(Search, number if is_number(asked) else {"name": asked})


def by_name(item: Item) -> str:
    """What patients are sorted by: the name, with å, ä, ö behind z."""
    return str(item["name"] or "").casefold().translate(_SWEDISH)


async def _page(
    request: Request, tx: Transaction, asked: str, found: Item | None = None, faults: Sequence[FieldError] = ()
) -> Response:
    return render(
        request,
        "patients.html",
        422 if faults else 200,
        **await frame(request, tx),
        asked=asked,
        found=None if found is None else sorted(found["items"], key=by_name),
        has_more=found is not None and found["has_more"],
        faults=[FieldError("number" if is_number(asked) else "q", fault.code, fault.message) for fault in faults],
        cities={centre["code"]: centre["city"] for centre in await catalogue.all_centres(tx)},
    )
