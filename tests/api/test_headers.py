"""What every answer carries (contract 1): request id, cache, security headers, rate limits."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

import pytest

from tests.api.conftest import Service

SAFE = {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}


@pytest.mark.parametrize("given", ["6f1ae5a8-3c5c-4c0e-9b9b-0a7a3a1f5d10", "6F1AE5A8-3C5C-4C0E-9B9B-0A7A3A1F5D10"])
async def test_a_request_id_that_is_a_uuid_is_echoed(service: Service, given: str):
    told = await service.get("/centres", headers={"X-Request-Id": given})
    assert told.headers["x-request-id"] == given.lower()


@pytest.mark.parametrize("given", ["19811228-9874", "x" * 36, "{6f1ae5a8-3c5c-4c0e-9b9b-0a7a3a1f5d10}", ""])
async def test_another_request_id_is_replaced(service: Service, given: str):
    made = (await service.get("/centres", headers={"X-Request-Id": given})).headers["x-request-id"]
    assert made != given
    assert UUID(made).version == 7


@pytest.mark.parametrize("path", ["/visits", "/nothing", "/visits/zzz"])
@pytest.mark.parametrize("token", ["demo-nurse-lund", None])
async def test_an_answer_to_a_token_is_private_and_asked_for_again(service: Service, path: str, token: str | None):
    told = (await service.get(path, token=token)).headers
    assert (told["cache-control"], told["vary"]) == ("private, no-cache", "Authorization, Accept")
    assert "default-src 'none'" in told["content-security-policy"]
    assert told["referrer-policy"] == "no-referrer"
    assert {name: told[name] for name in SAFE} == SAFE


@pytest.mark.parametrize("path", ["/", "/login", "/docs", "/livez", "/metrics", "/nothing"])
async def test_an_open_address_is_never_kept_and_runs_only_our_own_script(service: Service, path: str):
    told = await service.get(path, api="", token=None)
    assert (told.headers["cache-control"], told.headers["referrer-policy"]) == ("no-store", "same-origin")
    assert told.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-"
    )
    assert "unsafe" not in told.headers["content-security-policy"]
    assert {name: told.headers[name] for name in SAFE} == SAFE


async def test_more_calls_a_second_than_allowed_are_429(make_service: Callable[..., Service]):
    service = make_service(rate=5)
    began = monotonic()
    told = [await service.get("/centres") for _ in range(6)]
    if monotonic() - began < 1:
        assert [answer.status_code for answer in told] == [200] * 5 + [429]
        assert [answer.headers["ratelimit"] for answer in told] == [
            f'"token";r={left};t=1' for left in (4, 3, 2, 1, 0, 0)
        ]
        assert told[-1].json()["type"] == "/problems/rate-limited"
        assert told[-1].headers["retry-after"] == "1"
    assert {answer.headers["ratelimit-policy"] for answer in told} == {'"token";q=5;w=1'}
    assert (await service.get("/centres", token="demo-nurse-umea")).status_code == 200


async def test_days_are_iso_and_instants_are_utc(service: Service):
    stored = await service.recorded()
    patient = (await service.get(f"/patients/{stored['patient_id']}")).json()
    assert patient["registered_at"].endswith("Z")
    assert datetime.fromisoformat(patient["registered_at"]).tzinfo == UTC
    assert (stored["infused_on"], stored["as_of_date"]) == ("2025-03-04", "2026-11-23")


async def test_a_late_sweep_degrades_and_does_not_shut_out(service: Service):
    told = await service.get("/readyz", api="", token=None)
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    assert "follow_up_sweep_late 1.0" in (await service.get("/metrics", api="", token=None)).text


async def test_metrics_count_by_route_and_not_by_address(service: Service):
    stored = await service.recorded()
    await service.get(f"/infusions/{stored['id']}")
    told = (await service.get("/metrics", api="", token=None)).text
    assert (
        'follow_up_request_seconds_count{method="GET",route="/api/v1/infusions/{infusion_id}",status="200"} 1.0' in told
    )
    assert stored["id"] not in told
