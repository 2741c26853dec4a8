"""Who may what: the mark of each address, the act that its work asks for, and the one table of app/actor.py say the
same."""

import re
from typing import Any, ClassVar

import pytest

from app.actor import MAY, SCOPE, Act, Actor, Role
from tests.api.conftest import Service, infusion
from tests.house.routes import Route, routes

TOKENS = {
    Role.NURSE: "demo-nurse-lund",
    Role.CLINICIAN: "demo-clinician-lund",
    Role.COORDINATOR: "demo-coordinator-lund",
    Role.INTEGRATION: "demo-integration-lund",
    Role.NETWORK: "demo-network",
    Role.AUDITOR: "demo-auditor",
    Role.ADMIN: "demo-admin",
}
ROUTES = routes()
# Its answer is the clock's own day; no act of the rooms below is called.
WITHOUT_AN_ACT = {("GET", "/api/v1/demo/clock")}
# Its file is read, and refused, before a transaction is opened: only the mark has asked by then.
READ_FIRST = {("POST", "/api/v1/imports")}


def _address(route: Route) -> str:
    """The address of something that is not there; of a centre and a protocol that are."""
    ids = dict.fromkeys(re.findall(r"{(\w+_id)}", route.path), "01890000-0000-7000-8000-000000000000")
    return route.path.format(**ids, code="ltfu-15y", centre="lund", version=1)


def _bodies() -> dict[str, Any]:
    """A body for each address that takes one, good enough to reach the act."""
    return {
        "/infusions": infusion(),
        "/infusions/preview": infusion(),
        "/infusions/{infusion_id}": {"batch": "B-2"},
        "/infusions/{infusion_id}/void": {"reason": "entered twice"},
        "/patients/search": {"name": "Test"},
        "/patients/{patient_id}": {"phone": "+46701740605"},
        "/patients/{patient_id}/events": {"type": "relapse", "on": "2026-01-01"},
        "/patients/{patient_id}/decide": {"decision": "close", "reason": "moved abroad"},
        "/patients/{patient_id}/contacts": {"channel": "phone", "outcome": "busy"},
        "/visits/{visit_id}/book": {"booked_on": "2028-03-10"},
        "/visits/{visit_id}/complete": {"completed_on": "2027-10-04"},
        "/visits/{visit_id}/miss": {"reason": "moved away"},
        "/visits/{visit_id}/cancel": {"reason": "not-required"},
        "/visits/{visit_id}/reopen": {"reason": "by mistake"},
        "/visits/{visit_id}/confirm": {"codes": ["window_not_open"]},
        "/visits/{visit_id}/contacts": {"channel": "phone", "outcome": "busy"},
        "/alerts/{alert_id}/acknowledge": {"reason": "called"},
        "/demo/clock": {"today": "2028-04-01"},
    }


async def _call(service: Service, route: Route, token: str) -> Any:
    options: dict[str, Any] = {}
    if route.path.endswith("/imports") and route.method == "POST":
        options = {"content": b"not a file of infusions", "headers": {"Content-Type": "text/csv"}}
    elif route.method not in ("GET", "DELETE"):
        options = {"json": _bodies()[route.path.removeprefix("/api/v1")]}
    return await service.call(route.method, _address(route), api="", token=token, **options)


# ---- The table, from outside -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", TOKENS)
async def test_an_address_is_forbidden_exactly_where_the_table_says_so(service: Service, role: Role) -> None:
    forbidden = {}
    for route in ROUTES:
        told = await _call(service, route, TOKENS[role])
        assert told.status_code not in (401, 500), route
        forbidden[route.method, route.path] = told.status_code == 403
    assert forbidden == {(route.method, route.path): role not in MAY[route.act] for route in ROUTES}


async def test_a_system_without_a_scope_may_nothing_that_needs_one(service: Service) -> None:
    _let_in(service, Actor("system", Role.INTEGRATION, frozenset({"lund"}), id="system"))
    for route in ROUTES:
        told = await _call(service, route, "any")
        allowed = Role.INTEGRATION in MAY[route.act] and route.act not in SCOPE
        assert (told.status_code == 403) is not allowed, route


# ---- The act, from inside --------------------------------------------------------------------------------------------


class Listening(Actor):
    """An actor who may everything, and remembers what was asked."""

    asked: ClassVar[list[Act]] = []

    def must(self, act: Act) -> None:
        self.asked.append(act)
        Actor.must(self, act)


async def test_the_work_asks_for_the_act_that_the_address_declares_before_it_looks_anything_up(
    service: Service,
) -> None:
    _let_in(service, Listening("listening", Role.OPERATOR, None, id="listening"))
    asked = {}
    for route in ROUTES:
        Listening.asked.clear()
        told = await _call(service, route, "any")
        assert told.status_code < 500, route
        # The demo's new day is swept, and that is the worker's act.
        asked[route] = [act for act in Listening.asked if act is not Act.SWEEP]
    # Once by the mark, and once more by the work itself, which commands and the worker call too.
    times = {route: 1 if (route.method, route.path) in WITHOUT_AN_ACT | READ_FIRST else 2 for route in ROUTES}
    assert asked == {route: [route.act] * times[route] for route in ROUTES}


def _let_in(service: Service, actor: Actor) -> None:
    """Every call is this actor's: the layer that asks who calls is given another answer, before the first call builds
    it."""

    async def authenticate(token: str, loopback: bool) -> tuple[str, Actor]:
        return token, actor

    layer = next(layer for layer in service.app.user_middleware if "authenticate" in layer.kwargs)
    layer.kwargs["authenticate"] = authenticate
