"""The catalogue: centres, products, protocols. Read by everybody who may call at all."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.actor import Act
from app.api import overviews, parameters, responses
from app.followup import catalogue
from app.http.deps import Needs, ReadDep

router = APIRouter(prefix="/api/v1", tags=["catalogue"])


@router.get("/centres", dependencies=[Needs(Act.READ_CATALOGUE)], responses=responses.of(overviews.Centres, 304))
async def list_centres(read: ReadDep) -> Response:
    """Every centre of the network."""
    return await read.one(catalogue.centres)


@router.get("/products", dependencies=[Needs(Act.READ_CATALOGUE)], responses=responses.of(overviews.Products, 304))
async def list_products(read: ReadDep) -> Response:
    """Every product, with the class that says which plans replace each other, and its protocol."""
    return await read.one(catalogue.products)


@router.get("/protocols", dependencies=[Needs(Act.READ_CATALOGUE)], responses=responses.of(overviews.Protocols, 304))
async def list_protocols(read: ReadDep) -> Response:
    """The newest version of every protocol."""
    return await read.one(catalogue.newest_protocols)


@router.get(
    "/protocols/{code}/versions/{version}",
    dependencies=[Needs(Act.READ_CATALOGUE)],
    responses=responses.of(overviews.Protocol, *responses.READ),
)
async def get_protocol(
    read: ReadDep, code: parameters.CodeInPath, version: Annotated[int, Path(ge=1, le=1_000_000)]
) -> Response:
    """One protocol version; it never changes."""
    return await read.fixed(version, lambda tx: catalogue.protocol_version(tx, code, version))
