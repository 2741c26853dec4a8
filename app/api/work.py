"""Work that lasts: imports, which go on after the answer, and their reports."""

import asyncio
from io import BytesIO
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from app.actor import Act
from app.api import overviews, parameters, responses
from app.followup import imports
from app.followup.spreadsheet import Row
from app.http.call import actor_of, header
from app.http.conditional import answer
from app.http.deps import Needs, ReadDep, TxDep
from app.http.middleware import check_encoding
from app.http.problems import UnsupportedMediaType

log = structlog.get_logger("imports")
router = APIRouter(prefix="/api/v1/imports", tags=["imports"])

TAKEN = ("text/csv", "text/plain", "text/tab-separated-values", "application/octet-stream")
_FILE = {"requestBody": {"required": True, "content": {media: {"schema": {"type": "string"}} for media in TAKEN}}}


async def _read(request: Request) -> list[Row]:
    check_encoding(request.scope)
    media = (header(request.scope, b"content-type") or "").partition(";")[0].strip().lower()
    if media not in TAKEN:
        raise UnsupportedMediaType(f"Send the file itself as {', '.join(TAKEN)}.")
    file = BytesIO()
    async for part in request.stream():
        file.write(part)
    file.seek(0)
    return await imports.read(file)


# Read before the transaction is opened: neither a slow upload nor a large file may hold the write lock.
RowsDep = Annotated[list[Row], Depends(_read)]


@router.post(
    "",
    status_code=202,
    dependencies=[Needs(Act.IMPORT)],
    responses=responses.of(overviews.ImportReport, *responses.BODY, status=(202,)),
    openapi_extra=_FILE,
)
async def start_import(rows: RowsDep, request: Request, tx: TxDep, dry_run: parameters.YesNo = "false") -> Response:
    """Takes a file of infusions (CSV) and works its rows off, each a transaction of its own; with `dry_run=true` only
    judges them."""
    job = await imports.accept(tx, rows, dry_run == "true")
    report = await imports.get(tx, job.id)
    accepted = answer(report, 202, {"Location": f"/api/v1/imports/{job.id}"})
    # Begun when the answer has left, and so after the report's row is committed.
    accepted.background = BackgroundTask(_begin, request, job)
    return accepted


@router.get(
    "/{import_id}", dependencies=[Needs(Act.IMPORT)], responses=responses.of(overviews.ImportReport, *responses.READ)
)
async def get_import(read: ReadDep, import_id: UUID) -> Response:
    """The report, row by row, as far as it has come. It has no tag: that an import has died is known by the time that
    has passed only."""
    return answer(await imports.get(read.tx, import_id))


async def _begin(request: Request, job: imports.Import) -> None:
    jobs: set[asyncio.Task[None]] = request.app.state.jobs
    task = asyncio.create_task(_work(request, job))
    jobs.add(task)
    task.add_done_callback(jobs.discard)


async def _work(request: Request, job: imports.Import) -> None:
    house, rows = request.app.state, 0
    try:
        async for _ in imports.work(house.db, actor_of(request.scope), house.clock, job):
            rows += 1
    except Exception as fault:
        log.error("import.failed", import_id=str(job.id), rows=rows, exc_info=fault)
        return
    log.info("import.finished", import_id=str(job.id), rows=rows)
