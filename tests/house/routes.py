"""The addresses of the API, read from an application that is put together as the demo puts it together, on a database
that is never opened."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.actor import Act
from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.http.middleware import guarded
from app.main import AppContext, create_app
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Route:
    """One address and method of the API: the act that its mark names, and the first sentence of what it does."""

    method: str
    path: str
    act: Act
    told: str


@cache
def application() -> FastAPI:
    """The whole application, the demo's addresses included; it opens no connection."""
    database = Database("sqlite:///" + str(Path(__file__).with_name("never-opened.db")), Keys.fresh())
    return create_app(AppContext(database, Clock(), Settings(), demo=True))


def routes() -> list[Route]:
    """Every address of the API, in the order in which they are declared."""
    acts = application().state.acts
    found = []
    for route in iter_route_contexts(application().routes):
        for method in sorted(route.methods or ()):
            if (route.path, method) in acts and guarded(str(route.path)):
                told = " ".join((route.original_route.endpoint.__doc__ or "").split()).split(". ")[0].rstrip(".")
                found.append(Route(method, str(route.path), acts[route.path, method], told))
    return found
