"""Who has read a patient: the log of reads as auditors see it, found by the patient's id; the patient is not named."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.actor import Act
from app.errors import FieldError
from app.followup import audit, catalogue
from app.followup.commands import Ask
from app.http.deps import Needs, reading
from app.pages import days, forms
from app.pages.page import PageRoute, back_to, frame, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)

ROWS = 50  # reads on one page


@router.get("/accesses", dependencies=[Needs(Act.READ_ACCESS_LOG)])
async def form(request: Request) -> Response:
    """The form alone."""
    return await _form(request, "")


@router.post("/accesses", dependencies=[Needs(Act.READ_ACCESS_LOG)])
async def find(request: Request) -> Response:
    """With a patient's id, or the address of the patient's page, the way to that patient's reads. What was typed may be
    a name: no address has it."""
    asked = (await forms.fields(request)).get("patient", "")
    try:
        return back_to(f"/patients/{UUID(asked.rstrip('/').rpartition('/')[2])}/accesses")
    except ValueError:
        return await _form(request, asked, FieldError("patient", "uuid_parsing", "This is no patient's id."))


async def _form(request: Request, asked: str, *faults: FieldError) -> Response:
    async with reading(request) as read:
        return render(
            request,
            "accesses.html",
            422 if faults else 200,
            **await frame(request, read.tx),
            asked=asked,
            faults=faults,
        )


@router.get("/patients/{patient_id}/accesses", dependencies=[Needs(Act.READ_ACCESS_LOG)])
async def accesses(request: Request, patient_id: UUID, before: UUID | None = None) -> Response:
    """Every read of a patient, newest first; with `before` those older than that one."""
    async with reading(request) as read:
        found = await audit.accesses(
            read.tx, patient_id, Ask(ROWS, read.tx.today, None if before is None else (before,))
        )
        return render(
            request,
            "accesses_of.html",
            **await frame(request, read.tx),
            patient=patient_id,
            rows=found.items,
            older=found.next[0] if found.next else None,
            cities={centre["code"]: centre["city"] for centre in await catalogue.all_centres(read.tx)},
            local_day=days.local_day,
        )
