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
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.access.sessions import Sessions
from app.access.tokens import Tokens
from app.api import alerts, catalogue, contacts, demo, figures, infusions, operations, patients, visits, work
from app.clock import Clock
from app.db.engine import Database
from app.http import log
from app.http.browser import Smaller, WhoBrowses
from app.http.deps import refuse_undeclared
from app.http.middleware import Head, Limits, OnceMore, Outermost, Rate, StrictJson, WhoCalls
from app.http.problems import HANDLERS
from app.pages import accesses, assets, decisions, due_list, due_print, infusion, kept, login, patient
from app.pages import alerts as alerts_page
from app.pages import demo as demo_page
from app.pages import patients as patients_page
from app.pages.page import missing
from app.settings import Settings

# Addresses are looked through in this order: what is asked most often comes first.
ROUTERS: Final = (alerts, visits, infusions, patients, contacts, figures, catalogue, work)
PAGES: Final = (
    due_list,
    due_print,
    patients_page,
    patient,
    decisions,
    infusion,
    alerts_page,
    accesses,
    login,
    kept,
    assets,
)
OPEN: Final = operations.PATHS | login.OPEN
JOB_SECONDS: Final = 5.0  # how long a job that was cut off may take to end
# What open pages ask for every minute.
BY_THEMSELVES: Final = frozenset({"/due/changes"})


@dataclass(frozen=True, slots=True)
class AppContext:
    """What an application stands on. `demo`: the fixed tokens are honoured and the clock can be moved."""

    db: Database
    clock: Clock
    settings: Settings
    demo: bool = False


def create_app(house: AppContext) -> FastAPI:
    """The application. Raises RuntimeError when a route does not declare who may call it. Whoever made the database
    closes it."""
    registry = CollectorRegistry()
    fixed = house.demo or house.settings.demo_tokens
    tokens = Tokens(house.db, house.clock, demo=fixed)
    sessions = Sessions(house.db, house.clock, tokens)
    app = FastAPI(
        title="Follow-up",
        version=version("follow-up"),
        description="Long-term follow-up after gene and cell therapy: "
        "an infusion in, fifteen years of visits out, overdue ones flagged.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # by our own log lines and figures only
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=HANDLERS | dict.fromkeys((404, 405), missing),
        middleware=_middleware(house, registry, tokens, sessions),
    )
    app.state.db, app.state.clock, app.state.sweep_minutes = house.db, house.clock, house.settings.sweep_minutes
    app.state.jobs = set()
    app.state.figures = operations.Figures(registry)
    app.state.sessions, app.state.demo, app.state.one_click = sessions, house.demo, fixed
    rooms = (*ROUTERS, *PAGES, *([demo, demo_page] if house.demo else []), operations)
    for room in rooms:
        app.include_router(room.router)
    # A guard that walks the application's routes and finds none would be content for ever: the rooms are counted too.
    declared = sum(route.path not in OPEN for room in rooms for route in room.router.routes)
    app.state.acts = refuse_undeclared(app, open_paths=OPEN, number=declared)
    return app


def _middleware(house: AppContext, registry: CollectorRegistry, tokens: Tokens, sessions: Sessions) -> list[Middleware]:
    """What every call passes, the outermost first."""
    per_second = house.settings.rate_per_second
    return [
        Middleware(ProxyHeadersMiddleware, trusted_hosts=house.settings.proxies),
        Middleware(
            Outermost,
            registry=registry,
            open_headers=operations.HEADERS,
            public_origin=house.settings.public_origin,
        ),
        Middleware(Head),
        Middleware(Limits),
        Middleware(WhoCalls, authenticate=tokens.actor, rate=Rate(per_second, "token")),
        Middleware(
            WhoBrowses,
            sessions=sessions,
            by_themselves=BY_THEMSELVES,
            rate=Rate(per_second, "browser"),
            watched=operations.WATCHED,
        ),
        Middleware(StrictJson),
        Middleware(OnceMore),
        Middleware(Smaller),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Ends with the process: an import that is cut off here keeps its rows, and its file can be given again."""
    log.watch_loop(asyncio.get_running_loop())
    yield
    jobs = set(app.state.jobs)
    for job in jobs:
        job.cancel()
    if jobs:
        await asyncio.wait(jobs, timeout=JOB_SECONDS)
