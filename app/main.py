"""Puts the house together: one application from a database, a clock and settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from app.access.tokens import Tokens
from app.api import alerts, catalogue, demo, figures, infusions, operations, patients, visits, work
from app.clock import Clock
from app.db.engine import Database
from app.http import log
from app.http.deps import refuse_undeclared
from app.http.middleware import Limits, Outermost, StrictJson, WhoCalls
from app.http.problems import HANDLERS
from app.settings import Settings

# Addresses are looked through in this order: what is asked most often comes first.
ROUTERS: Final = (alerts, visits, infusions, patients, figures, catalogue, work)
# How many operations declare their act: a guard that found none would be content for ever.
DECLARED: Final = 33
DECLARED_BY_THE_DEMO: Final = 2


@dataclass(frozen=True, slots=True)
class House:
    """What an application stands on. `demo`: the fixed tokens are honoured and the clock can be moved."""

    db: Database
    clock: Clock
    settings: Settings
    demo: bool = False


def create_app(house: House) -> FastAPI:
    """The application. Raises RuntimeError when a route does not declare who may call it. Whoever made the database closes it."""
    registry = CollectorRegistry()
    tokens = Tokens(house.db, house.clock, demo=house.demo or house.settings.demo_tokens)
    app = FastAPI(
        title="Follow-up",
        version=version("follow-up"),
        description="Long-term follow-up after gene and cell therapy: an infusion in, fifteen years of visits out, overdue ones flagged.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=HANDLERS,
        middleware=[
            Middleware(Outermost, registry=registry, open_headers=operations.HEADERS),
            Middleware(Limits),
            Middleware(WhoCalls, authenticate=tokens.actor, per_second=house.settings.rate_per_second),
            Middleware(StrictJson),
        ],
    )
    app.state.db, app.state.clock, app.state.sweep_minutes = house.db, house.clock, house.settings.sweep_minutes
    app.state.jobs = set()
    app.state.figures = operations.Figures(registry)
    for room in (*ROUTERS, *([demo] if house.demo else []), operations):
        app.include_router(room.router)
    app.state.acts = refuse_undeclared(app, open_paths=operations.PATHS, number=DECLARED + (DECLARED_BY_THE_DEMO if house.demo else 0))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Ends with the process: an import that is cut off here keeps its rows, and its file can be given again."""
    log.watch_loop(asyncio.get_running_loop())
    yield
    for job in list(app.state.jobs):
        job.cancel()
    await asyncio.gather(*app.state.jobs, return_exceptions=True)
