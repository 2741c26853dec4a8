"""What every HTTP client may expect of any service: HEAD, 404, 405 and 415 in that order, compression, links, tags, ids
of its own."""

import gzip
from datetime import date

import pytest

from app.clock import Clock
from app.followup import batches
from tests.api.conftest import NURSE, Service, infusion

HEX = "6f1ae5a83c5c4c0e9b9b0a7a3a1f5d10"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/visits",
        "/api/v1/alerts/events?after=0",
        "/openapi.json",
        "/livez",
        "/login",
        "/nothing",
        "/api/v1/nothing",
    ],
)
async def test_head_is_answered_as_get_without_the_body(service: Service, path: str):
    await service.recorded()
    whole, head = await service.get(path, api=""), await service.call("HEAD", path, api="")
    assert head.status_code == whole.status_code
    assert head.content == b""
    changing = {"x-request-id", "ratelimit"}
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in whole.headers.items() if name not in changing
    }


async def test_head_changes_nothing_and_needs_a_token_too(service: Service):
    assert (await service.call("HEAD", "/visits", token=None)).status_code == 401
    assert (await service.call("HEAD", f"/visits/{HEX}/book")).status_code == 405
    assert (await service.get("/metrics", api="")).text.count('method="HEAD",route="/api/v1/visits"') == 0
    await service.call("HEAD", "/visits")
    assert 'method="HEAD",route="/api/v1/visits",status="200"' in (await service.get("/metrics", api="")).text


@pytest.mark.parametrize("path", ["/nothing", "/api", "/patient", "/favicon.ico", "/visits/x/y/z"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_address_is_404_and_leads_nobody_to_the_login(service: Service, method: str, path: str):
    told = await service.call(method, path, api="", headers={"Sec-Fetch-Site": "none"})
    assert (told.status_code, told.json()["type"]) == (404, "/problems/not-found")


async def test_an_address_of_the_pages_leads_to_the_login(service: Service):
    for path in ("/", "/patients", "/alerts", "/profile"):
        told = await service.get(path, api="", token=None)
        assert (told.status_code, told.headers["location"].partition("?")[0]) == (303, "/login")


async def test_a_browser_is_shown_a_page_where_nothing_is(service: Service):
    told = await service.get("/nothing", api="", token=None, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (told.status_code, told.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>" in told.text


async def test_every_type_of_problem_has_its_page(service: Service):
    refused = await service.post("/infusions", infusion(infused_on="2030-01-01"))
    address = refused.json()["type"]
    told = await service.get(address, api="", token=None)
    assert (address, told.status_code) == ("/problems/validation", 200)
    assert refused.json()["errors"][0]["code"] == "date_in_future"
    assert "<code>date_in_future</code>" in told.text
    assert "<code>unknown_field</code>" in told.text
    assert (await service.get("/problems/nothing", api="", token=None)).status_code == 404


async def test_search_engines_stay_out(service: Service):
    told = await service.get("/robots.txt", api="", token=None)
    assert (told.status_code, told.text) == (200, "User-agent: *\nDisallow: /\n")
    assert told.headers["content-type"].startswith("text/plain")


async def test_json_above_a_kilobyte_is_compressed_where_the_client_takes_it(service: Service):
    await service.recorded()
    plain = await service.get("/visits?state=planned", headers={"Accept-Encoding": "identity"})
    async with service.client.stream(
        "GET", "/api/v1/visits?state=planned", headers={"Authorization": f"Bearer {NURSE}", "Accept-Encoding": "gzip"}
    ) as small:
        raw = b"".join([part async for part in small.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert len(raw) < len(plain.content) / 2
    assert gzip.decompress(raw) == plain.content
    assert small.headers["etag"] == plain.headers["etag"]
    assert "Accept-Encoding" in small.headers["vary"]
    short = await service.get("/visits?state=overdue", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in short.headers, "not worth it"


async def test_a_full_page_of_the_feed_links_to_the_next_and_the_last_one_does_not(service: Service):
    await service.recorded()
    assert await batches.sweep(service.house.db, Clock(fixed=date(2030, 1, 1))) > 2
    address, seen = "/api/v1/alerts/events?after=0&limit=2", 0
    while address:
        told = await service.get(address, api="")
        seen += len(told.json()["items"])
        assert ("next" in told.links) == told.json()["has_more"]
        address = told.links["next"]["url"] if told.links else ""
    assert seen == len((await service.get("/alerts/events?after=0")).json()["items"]) > 2


@pytest.mark.parametrize("path", ["/infusions", "/imports"])
async def test_a_compressed_body_is_415(service: Service, path: str):
    body = gzip.compress(b"{}")
    told = await service.call(
        "POST",
        path,
        token="demo-coordinator-lund",
        content=body,
        headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"},
    )
    assert (told.status_code, told.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert "Content-Encoding" in told.json()["detail"]


@pytest.mark.parametrize(("path", "status"), [("/visits", 405), ("/nothing", 404), ("/infusions", 415)])
async def test_what_is_wrong_with_the_address_is_said_before_what_is_wrong_with_the_body(
    service: Service, path: str, status: int
):
    for content_type, body in (("text/plain", b"x"), ("application/xml", b"<x/>")):
        told = await service.call("POST", path, content=body, headers={"Content-Type": content_type})
        assert told.status_code == status


async def test_the_callers_own_id_is_taken_as_hexadecimal_digits_or_from_its_trace(service: Service):
    trace = f"00-{HEX[::-1]}-00f067aa0ba902b7-01"
    for given, taken in (
        ({"X-Request-Id": HEX}, HEX),
        ({"X-Request-Id": HEX, "traceparent": trace}, HEX),
        ({"traceparent": trace}, HEX[::-1]),
        ({"X-Request-Id": "no id", "traceparent": trace}, HEX[::-1]),
    ):
        assert (await service.get("/centres", headers=given)).headers["x-request-id"] == taken
    for broken in (f"00-{'0' * 32}-00f067aa0ba902b7-01", "00-xyz", trace.upper()):
        assert len((await service.get("/centres", headers={"traceparent": broken})).headers["x-request-id"]) == 36


async def test_the_document_is_sent_once_while_it_stays_the_same(service: Service):
    told = await service.get("/openapi.json", api="", token=None)
    again = await service.get("/openapi.json", api="", token=None, headers={"If-None-Match": told.headers["etag"]})
    assert (told.status_code, again.status_code, again.content) == (200, 304, b"")
    assert told.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
