"""Who calls is settled before a body is read (contract 1)."""

from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path

import pytest

from app.access import tokens
from app.access.tokens import NewToken
from app.actor import Actor, Role
from app.db.transaction import begin
from tests.api.conftest import Service, infusion

OPERATOR = Actor("operator:test", Role.OPERATOR, None, id="operator:test")
OPEN = ["/login", "/docs", "/livez", "/readyz", "/metrics", "/version", "/openapi.json"]


async def _token(
    service: Service,
    role: Role = Role.NURSE,
    centres: frozenset[str] | None = frozenset({"lund"}),
    **more: frozenset[str],
) -> str:
    async with begin(service.house.db, OPERATOR, service.house.clock) as tx:
        return await tokens.add(tx, NewToken("ward computer", role, centres, **more))


@pytest.mark.parametrize("path", ["/infusions", "/nothing/here", "/imports", "/visits/abc/complete"])
async def test_without_a_token_every_call_is_401_and_its_body_is_not_read(service: Service, path: str):
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b'{"a": 1, "a"'

    told = await service.call("POST", path, token=None, content=body(), headers={"Content-Type": "application/json"})
    assert (told.status_code, told.json()["type"], read) == (401, "/problems/unauthenticated", 0)
    assert told.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["", "/", "/visits", "/nothing"])
@pytest.mark.parametrize("api", ["/api/v1", "/fhir"])
async def test_an_unknown_address_of_the_api_is_401_too(service: Service, api: str, path: str):
    assert (await service.get(path, api=api, token=None)).status_code == 401


@pytest.mark.parametrize("path", OPEN)
async def test_operations_need_no_token(service: Service, path: str):
    assert (await service.get(path, api="", token=None)).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic ZGVtbw==", "demo-nurse-lund", "Bearer demo-nurse-atlantis", "Bearer demo-nurse-",
     "Bearer demo-surgeon-lund",
     "Bearer demo-nurse-lund extra", "Bearer fu__", "Bearer fu_0011223344556677_secret", "Bearer demo-network-lund",
      "Bearer " + "x" * 5000],
)  # fmt: skip
async def test_what_is_no_token_of_ours_is_401(service: Service, header: str):
    told = await service.get("/centres", token=None, headers={"Authorization": header})
    assert told.status_code == 401


async def test_two_tokens_are_none(service: Service):
    twice = [("Authorization", "Bearer demo-nurse-lund"), ("Authorization", "Bearer demo-admin")]
    assert (await service.client.get("/api/v1/centres", headers=twice)).status_code == 401


@pytest.mark.parametrize(
    "token",
    ["demo-nurse-lund", "demo-clinician-umea", "demo-coordinator-uppsala", "demo-integration-lund",
     "demo-integration-all", "demo-network",
     "demo-auditor", "demo-admin", "demo-nurse-orebro"],
)  # fmt: skip
async def test_the_demo_tokens_are_known(service: Service, token: str):
    assert (await service.get("/centres", token=token)).status_code == 200


async def test_a_scheme_is_written_in_any_case(service: Service):
    assert (
        await service.get("/centres", token=None, headers={"Authorization": "bearer demo-admin"})
    ).status_code == 200


async def test_demo_tokens_count_only_when_the_house_says_so(make_service: Callable[..., Service]):
    assert (await make_service(demo=False).get("/centres")).status_code == 401


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("127.8.8.8", 200), ("::1", 200), ("::ffff:127.0.0.1",
    200),
                                              ("10.0.0.7", 401), ("192.0.2.1", 401), ("::ffff:10.0.0.7", 401),
                                               ("localhost", 401)])  # fmt: skip
async def test_demo_tokens_count_only_from_this_machine(make_service: Callable[..., Service], peer: str, status: int):
    assert (await make_service(peer=peer).get("/centres")).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:8000", 200), ("127.0.0.1:8000", 200), ("[::1]", 200), ("[::1]:8000", 200),
     ("follow-up.example", 401),
     ("127.0.0.1.evil.example", 401), ("localhost.evil.example:80", 401), ("evil.example:127.0.0.1", 401), ("::1", 401),
      ("", 401)],
)  # fmt: skip
async def test_demo_tokens_count_only_at_a_name_of_this_machine(service: Service, host: str, status: int):
    assert (await service.get("/centres", headers={"Host": host})).status_code == status
    login = await service.client.get("/login/demo?token=demo-nurse-lund", headers={"Host": host})
    assert login.status_code == {200: 303, 401: 401}[status]


async def test_a_name_of_this_machine_beside_another_is_none(service: Service):
    headers = [("Host", "localhost"), ("Host", "evil.example"), ("Authorization", "Bearer demo-nurse-lund")]
    assert (await service.client.get("/api/v1/centres", headers=headers)).status_code == 401


@pytest.mark.parametrize("demo", [True, False])
async def test_that_demo_tokens_count_is_told_to_who_watches(make_service: Callable[..., Service], demo: bool):
    told = await make_service(demo=demo).get("/readyz", api="", token=None)
    assert told.json()["warnings"] == (["demo_tokens"] if demo else [])


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via"]
)
async def test_what_a_proxy_on_this_machine_forwards_is_not_from_this_machine(service: Service, header: str):
    assert (await service.get("/centres", headers={header: "127.0.0.1"})).status_code == 401


async def test_a_token_is_what_its_row_says(make_service: Callable[..., Service]):
    service = make_service(demo=False, peer="192.0.2.1")
    token = await _token(service)
    assert (await service.post("/infusions", infusion(), token=token)).status_code == 201
    foreign = await service.post("/infusions", infusion(centre="umea"), token=token)
    assert (foreign.status_code, foreign.json()["errors"][0]["code"]) == (403, "not_your_centre")


async def test_a_systems_token_does_only_what_its_scopes_say(service: Service):
    token = await _token(service, Role.INTEGRATION, scopes=frozenset({"visits:read"}))
    assert (await service.get("/visits", token=token)).status_code == 200
    assert (await service.get("/alerts", token=token)).status_code == 403


async def test_a_wrong_secret_is_401(service: Service):
    token = await _token(service)
    assert (await service.get("/centres", token=token[:-1] + ("a" if token[-1] != "a" else "b"))).status_code == 401


def _bytes(service: Service) -> bytes:
    return Path(service.house.settings.database_url.removeprefix("sqlite:///")).read_bytes()


async def test_the_secret_is_not_stored(service: Service):
    _, token_id, secret = (await _token(service)).encode().split(b"_", 2)
    await service.house.db.close()
    stored = _bytes(service)
    assert token_id in stored
    assert secret not in stored


async def test_a_revoked_token_is_401(make_service: Callable[..., Service]):
    service = make_service()
    token = await _token(service)
    assert (await service.get("/centres", token=token)).status_code == 200
    async with begin(service.house.db, OPERATOR, service.house.clock) as tx:
        assert await tokens.revoke(tx, token.split("_")[1])
        assert not await tokens.revoke(tx, "0011223344556677")
    # Another process knows at once, this one at the latest after a second.
    assert (await make_service().get("/centres", token=token)).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"role": Role.WORKER}, "unknown_role"),
        ({"scopes": frozenset({"all"})}, "unknown_scope"),
        ({"role": Role.NURSE, "scopes": frozenset({"visits:read"})}, "scopes_need_integration"),
        ({"centres": frozenset({"atlantis"})}, "unknown_centre"),
    ],
)
async def test_a_token_that_makes_no_sense_is_not_made(service: Service, wrong: dict[str, object], code: str):
    told = {"name": "x", "role": Role.INTEGRATION, "centres": frozenset({"lund"}), **wrong}
    with pytest.raises(tokens.Invalid) as refused:
        async with begin(service.house.db, OPERATOR, service.house.clock) as tx:
            await tokens.add(tx, NewToken(**told))  # type: ignore[arg-type]
    assert code in [fault.code for fault in refused.value.errors]


async def test_the_day_is_the_clocks(make_service: Callable[..., Service]):
    told = await make_service(today=date(2031, 3, 1)).get("/visits")
    assert told.json()["as_of_date"] == "2031-03-01"
