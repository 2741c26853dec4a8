"""Infusions: recorded, previewed, read, corrected, voided."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.actor import Act
from app.api import answers, parameters, responses
from app.followup import infusions, previews, recording
from app.followup.commands import Reason
from app.followup.infusion_fields import Context, Correction, NewInfusion
from app.followup.infusions import InfusionFilter
from app.http.conditional import IfMatch, answer, changed
from app.http.deps import Needs, ReadDep, TxDep
from app.http.paging import Count, Cursor, Limit

router = APIRouter(prefix="/api/v1/infusions", tags=["infusions"])


@router.post(
    "",
    status_code=201,
    dependencies=[Needs(Act.RECORD_INFUSION)],
    responses=responses.of(answers.ChangedInfusion, *responses.BODY, 404, 409, status=(200, 201)),
)
async def record_infusion(tx: TxDep, new: NewInfusion) -> Response:
    """Stores one infusion event and its schedule. The same again (by `source`) is 200 with the present state."""
    recorded = await recording.record(tx, new)
    if not recorded.created:
        return changed(recorded.infusion)
    return changed(recorded.infusion, 201, {"Location": f"/api/v1/infusions/{recorded.infusion['id']}"})


@router.post(
    "/preview",
    dependencies=[Needs(Act.RECORD_INFUSION)],
    responses=responses.of(answers.Preview, *responses.BODY, 404, 409),
)
async def preview_infusion(read: ReadDep, new: NewInfusion) -> Response:
    """What recording would make and change; stores nothing."""
    return answer(await previews.preview(read.tx, new))


@router.get(
    "", dependencies=[Needs(Act.READ_PATIENTS)], responses=responses.of(answers.InfusionPage, *responses.LISTED)
)
async def find_infusions(
    read: ReadDep,
    patient: UUID | None = None,
    centre: parameters.Code = None,
    product: parameters.Code = None,
    context: Context | None = None,
    infused_from: parameters.Day = None,
    infused_to: parameters.Day = None,
    source_system: parameters.Word = None,
    source_id: parameters.Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    count: Count = None,
) -> Response:
    """Infusions of one's centres in the order of their ids, without plans and visits."""
    wanted = InfusionFilter(patient, centre, product, context, infused_from, infused_to, source_system, source_id)
    return await read.page(lambda tx, ask: infusions.find(tx, wanted, ask), limit, cursor, count)


@router.get(
    "/{infusion_id}", dependencies=[Needs(Act.READ_PATIENTS)], responses=responses.of(answers.Infusion, *responses.READ)
)
async def get_infusion(read: ReadDep, infusion_id: UUID) -> Response:
    """One infusion with the plans that it anchors and their visits."""
    return await read.one(lambda tx: infusions.get(tx, infusion_id))


@router.patch(
    "/{infusion_id}",
    dependencies=[Needs(Act.CORRECT_INFUSION)],
    responses=responses.of(answers.ChangedInfusion, *responses.CHANGE),
)
async def correct_infusion(tx: TxDep, infusion_id: UUID, correction: Correction, version: IfMatch) -> Response:
    """Corrects an infusion (JSON merge patch); open visits move, done ones stay."""
    return changed(await infusions.correct(tx, infusion_id, correction, version))


@router.post(
    "/{infusion_id}/void",
    dependencies=[Needs(Act.VOID_INFUSION)],
    responses=responses.of(answers.ChangedInfusion, *responses.CHANGE),
)
async def void_infusion(tx: TxDep, infusion_id: UUID, reason: Reason, version: IfMatch) -> Response:
    """Entered in error: its open visits are cancelled, its history stays, and what it had superseded comes back."""
    return changed(await infusions.void(tx, infusion_id, reason, version))
