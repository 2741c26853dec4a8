"""Every route declares who may call it, and nobody else is let in (contract 8)."""

import re

import pytest
from fastapi import APIRouter, FastAPI

from app.actor import MAY, Act, Actor, Role
from app.api import operations
from app.http.deps import Needs, refuse_undeclared
from app.http.middleware import guarded
from app.main import AppContext, create_app
from tests.api.conftest import Service

TOKENS = {
    Role.NURSE: "demo-nurse-lund",
    Role.CLINICIAN: "demo-clinician-lund",
    Role.COORDINATOR: "demo-coordinator-lund",
    Role.INTEGRATION: "demo-integration-lund",
    Role.NETWORK: "demo-network",
    Role.AUDITOR: "demo-auditor",
    Role.ADMIN: "demo-admin",
}
CONTRACT = """
POST /infusions; POST /infusions/preview; GET /infusions/{}; GET /infusions; PATCH /infusions/{};
POST /infusions/{}/void; GET /patients/{}; POST /patients/search; PATCH /patients/{};
POST /patients/{}/events; GET /patients/{}/history; GET /patients/{}/accesses;
GET /patients/{}/plans; GET /patients/{}/follow-up; GET /patients; POST /patients/{}/decide;
POST /patients/{}/contacts; DELETE /contacts/{}; GET /visits; GET /visits/{}; POST /visits/{}/book;
POST /visits/{}/complete; POST /visits/{}/miss; POST /visits/{}/cancel; POST /visits/{}/reopen;
POST /visits/{}/confirm; POST /visits/{}/contacts; GET /alerts; GET /alerts/events;
POST /alerts/{}/acknowledge; GET /centres; GET /centres/{}/summary; GET /network/summary;
GET /products; GET /protocols; GET /protocols/{}/versions/{}; POST /imports; GET /imports/{};
GET /demo/clock; POST /demo/clock
"""


def _table(service: Service) -> dict[tuple[str, str], Act]:
    acts: dict[tuple[str, str], Act] = create_app(
        AppContext(service.house.db, service.house.clock, service.house.settings, demo=True)
    ).state.acts
    return {key: act for key, act in acts.items() if guarded(key[0])}


def test_the_routes_are_those_of_the_contract(service: Service):
    found = {f"{method} {re.sub(r'{[^}]*}', '{}', path).removeprefix('/api/v1')}" for path, method in _table(service)}
    assert found == {line.strip() for line in CONTRACT.split(";")}
    assert len(found) == 40


async def test_the_openapi_document_has_each_of_them(service: Service):
    document = (await service.get("/openapi.json", api="", token=None)).json()
    told = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert told == {key for key in _table(service) if "/demo/" not in key[0]}


def _app(router: APIRouter) -> FastAPI:
    app = FastAPI(openapi_url=None)
    outer = APIRouter()
    outer.include_router(router)
    app.include_router(outer, prefix="/api")
    return app


@pytest.mark.parametrize("marks", [[], [Needs(Act.READ_VISITS), Needs(Act.READ_ALERTS)]])
def test_a_route_without_exactly_one_mark_stops_the_start(marks: list[object]):
    router = APIRouter()
    router.get("/secret", dependencies=marks)(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"/api/secret must declare one act"):
        refuse_undeclared(_app(router), open_paths=operations.PATHS, number=1)


def test_an_open_path_under_the_api_needs_its_mark_all_the_same():
    router = APIRouter()
    router.get("/secret")(lambda: None)
    with pytest.raises(RuntimeError, match="must declare"):
        refuse_undeclared(_app(router), open_paths=frozenset({"/api/secret"}), number=0)


def test_a_guard_that_finds_another_number_stops_the_start():
    router = APIRouter()
    router.get("/secret", dependencies=[Needs(Act.READ_VISITS)])(lambda: None)
    with pytest.raises(RuntimeError, match="1 routes declare their act; 2 are expected"):
        refuse_undeclared(_app(router), open_paths=operations.PATHS, number=2)
    assert refuse_undeclared(_app(router), open_paths=operations.PATHS, number=1) == {
        ("/api/secret", "GET"): Act.READ_VISITS
    }


@pytest.mark.parametrize("role", TOKENS, ids=str)
async def test_a_role_that_lacks_the_act_is_403_at_each_route(service: Service, role: Role):
    walked = 0
    for (path, method), act in _table(service).items():
        if role in MAY[act] or "/demo/" in path:
            continue
        address = re.sub(r"{[^}]*}", "01a20ebe-a811-7024-85f1-4319ccf84324", path)
        told = await service.call(method, address, api="", token=TOKENS[role])
        assert (told.status_code, told.json()["type"]) == (403, "/problems/forbidden"), f"{method} {path}"
        walked += 1
    assert walked > 0


async def test_a_system_without_scopes_reads_the_catalogue_only(service: Service):
    bare = Actor("bare", Role.INTEGRATION, frozenset({"lund"}), id="bare")
    allowed = {act for act in _table(service).values() if bare.may(act)}
    assert allowed == {Act.READ_CATALOGUE, Act.MOVE_DEMO_CLOCK}


async def test_the_demo_clock_exists_in_demo_mode_only(service: Service):
    assert (await service.get("/demo/clock")).status_code == 404
