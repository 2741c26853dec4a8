"""Contacts: taken back. They are logged where their visit or patient is."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.actor import Act
from app.api import responses
from app.followup import contacts
from app.http.deps import Needs, TxDep

router = APIRouter(prefix="/api/v1/contacts", tags=["contacts"])


@router.delete(
    "/{contact_id}", status_code=204, dependencies=[Needs(Act.WORK_VISIT)], responses=responses.nothing(404, 409)
)
async def take_back_contact(tx: TxDep, contact_id: UUID) -> Response:
    """Takes a contact back on the day on which it was logged, by who logged it. Once taken back it stays so."""
    await contacts.take_back(tx, contact_id)
    return Response(status_code=204)
