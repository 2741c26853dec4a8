"""ETag, If-Match, If-None-Match, and lists that are walked page by page (contract 1)."""

from collections.abc import Callable
from datetime import date

import orjson
import pytest

from app.errors import Malformed
from app.http.conditional import NO_VERSION, held, if_match
from tests.api.conftest import NURSE, Service, infusion

ONE = [
    "/infusions/{infusion}",
    "/patients/{patient}",
    "/patients/{patient}/follow-up",
    "/patients/{patient}/plans",
    "/visits/{visit}",
]
LISTS = [
    "/infusions",
    "/visits",
    "/visits?state=planned&limit=2",
    "/alerts",
    "/centres",
    "/products",
    "/protocols",
    "/patients/{patient}/history",
]
FIGURES = ["/centres/lund/summary", "/network/summary", "/protocols/ltfu-15y/versions/1", "/alerts/events"]


async def _known(service: Service) -> dict[str, str]:
    stored = await service.recorded()
    return {"infusion": stored["id"], "patient": stored["patient_id"], "visit": stored["visits"][3]["id"]}


@pytest.mark.parametrize("path", [*ONE, *LISTS, *FIGURES])
async def test_what_has_not_changed_is_304_without_a_body(service: Service, path: str):
    known = await _known(service)
    first = await service.get(path.format_map(known))
    etag = first.headers["etag"]
    assert first.status_code == 200
    again = await service.get(path.format_map(known), headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert again.headers["cache-control"] == "private, no-cache"
    assert "content-length" not in again.headers


@pytest.mark.usefixtures("logged")
async def test_a_poll_that_is_answered_before_its_route_is_authenticated_judged_logged_and_counted_like_any_call(
    service: Service, capsys: pytest.CaptureFixture[str]
):
    tag = {"If-None-Match": (await service.get("/alerts/events")).headers["etag"]}
    capsys.readouterr()
    answers = [
        await service.get("/alerts/events", headers=tag, token=token)
        for token in (NURSE, "demo-auditor", "fu_no_token")
    ]
    assert [answer.status_code for answer in answers] == [304, 403, 401]
    assert "x-request-id" in answers[0].headers
    told = orjson.loads(capsys.readouterr().err.splitlines()[0])
    assert (told["event"], told["route"], told["status"], told["actor"]) == (
        "request.done",
        "/api/v1/alerts/events",
        304,
        NURSE,
    )
    counted = (await service.call("GET", "/metrics", api="", token=None)).text
    assert 'follow_up_request_seconds_count{method="GET",route="/api/v1/alerts/events",status="304"} 1.0' in counted


async def test_the_access_log_grows_by_reading_and_so_has_no_tag(service: Service):
    path = "/patients/{patient}/accesses".format_map(await _known(service))
    first = await service.get(path, token="demo-auditor")
    assert "etag" not in first.headers
    await service.get(path.removesuffix("/accesses"))
    assert len((await service.get(path, token="demo-auditor")).json()["items"]) > len(first.json()["items"])


@pytest.mark.parametrize("path", [*ONE, *LISTS])
async def test_any_commit_ends_what_depends_on_other_rows(service: Service, path: str):
    known = await _known(service)
    etag = (await service.get(path.format_map(known))).headers["etag"]
    await service.recorded()
    assert (await service.get(path.format_map(known), headers={"If-None-Match": etag})).status_code == 200


async def test_a_new_day_and_another_role_and_another_address_have_another_tag(make_service: Callable[..., Service]):
    service = make_service()
    known = await _known(service)
    path = "/visits/{visit}".format_map(known)
    etag = (await service.get(path)).headers["etag"]
    others = [
        await service.get(path, token="demo-clinician-lund", headers={"If-None-Match": etag}),
        await make_service(today=date(2026, 11, 24)).get(path, headers={"If-None-Match": etag}),
        await service.get("/visits", headers={"If-None-Match": etag}),
        await service.get("/infusions/{infusion}".format_map(known), headers={"If-None-Match": etag}),
    ]
    assert [told.status_code for told in others] == [200] * 4


async def test_a_tag_opens_nothing_that_the_caller_may_not_see(service: Service):
    known = await _known(service)
    path = "/visits/{visit}".format_map(known)
    etag = (await service.get(path)).headers["etag"]
    assert (await service.get(path, token="demo-nurse-umea", headers={"If-None-Match": etag})).status_code == 404
    assert (await service.get(path, token="demo-network", headers={"If-None-Match": etag})).status_code == 403


async def test_the_part_before_the_dot_is_the_version_that_a_change_needs(service: Service):
    known = await _known(service)
    path = "/infusions/{infusion}".format_map(known)
    etag = (await service.get(path)).headers["etag"]
    assert etag.startswith('"1.')
    changed = await service.patch(path, {"batch": "SE-1"}, headers={"If-Match": etag})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    stale = await service.patch(path, {"batch": "SE-2"}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["current_version"]) == (412, 2)
    repeated = await service.patch(path, {"batch": "SE-1"}, headers={"If-Match": etag})
    assert repeated.status_code == 200


@pytest.mark.parametrize(
    ("header", "version"),
    [(None, None), ("*", None), ('"3"', 3), (' "3" ', 3), ('"3.abc-_"', 3), ('W/"3"', NO_VERSION), ('"x"', NO_VERSION),
     ('""', NO_VERSION),
     ('"03"', NO_VERSION), ('"0"', NO_VERSION), ('"1234567890"', NO_VERSION), ('"-1"', NO_VERSION)],
)  # fmt: skip
def test_if_match(header: str | None, version: int | None):
    assert if_match(header) == version


@pytest.mark.parametrize("header", ["3", '"٣"', '"3', '"3", "4"', "W/3", '"a b"', ""])
def test_an_if_match_that_is_no_tag_is_malformed(header: str):
    with pytest.raises(Malformed, match="bad_etag"):
        if_match(header)


def test_tags_are_compared_weakly_for_reading():
    assert held('W/"a", "b"', '"a"')
    assert held('"a"', 'W/"a"')
    assert not held('"ab"', '"a"')
    assert not held(None, '"a"')


async def test_the_same_infusion_again_is_200_and_its_first_answer_201(service: Service):
    body = infusion()
    first = await service.post("/infusions", body)
    again = await service.post("/infusions", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == f"/api/v1/infusions/{first.json()['id']}"
    assert first.headers["etag"] == again.headers["etag"] == '"1"'
    assert again.json()["id"] == first.json()["id"]
    changed = await service.post(
        "/infusions", body | {"batch": "SE-1", "indication": "DLBCL"} | {"product": "tisagenlecleucel"}
    )
    assert (changed.status_code, changed.json()["code"]) == (409, "source_conflict")


# ---- Lists -----------------------------------------------------------------------------------------------------------


async def _walk(service: Service, path: str) -> list[list[str]]:
    pages, following = [], path
    while following:
        told = await service.get(following, api="" if following.startswith("/api") else "/api/v1")
        assert told.status_code == 200, told.text
        body = told.json()
        pages.append([item["id"] for item in body["items"]])
        link = told.headers.get("link", "")
        assert body["has_more"] == (body["next_cursor"] is not None) == bool(link)
        following = link.partition(">")[0].removeprefix("<")
        assert not link or link.endswith('>; rel="next"')
    return pages


async def test_a_walk_shows_each_row_once_and_in_order(service: Service):
    ids = [(await service.recorded())["id"] for _ in range(5)]
    assert await _walk(service, "/infusions?limit=2") == [ids[:2], ids[2:4], ids[4:]]
    planned = [v for page in await _walk(service, "/visits?state=planned&limit=7") for v in page]
    assert len(planned) == len(set(planned)) == (await service.get("/visits?state=planned&count=exact")).json()["total"]
    assert len(planned) > 50


async def test_one_walk_shows_one_day(make_service: Callable[..., Service]):
    service = make_service()
    for _ in range(3):
        await service.recorded()
    link = (await service.get("/visits?state=planned&limit=1")).headers["link"].partition(">")[0].removeprefix("<")
    later = make_service(today=date(2027, 6, 1))
    assert (await later.get(link, api="")).json()["as_of_date"] == "2026-11-23"
    assert (await later.get("/visits?state=planned&limit=1")).json()["as_of_date"] == "2027-06-01"


async def test_a_cursor_fits_its_own_question_only(service: Service):
    for _ in range(3):
        await service.recorded()
    cursor = (await service.get("/infusions?limit=1&centre=lund")).json()["next_cursor"]
    for query in ("", "&centre=lund&product=axicabtagene-ciloleucel", "&context=SOC"):
        told = await service.get(f"/infusions?cursor={cursor}{query}")
        assert (told.status_code, told.json()["type"]) == (400, "/problems/bad-cursor")
    assert (await service.get(f"/infusions?centre=lund&limit=2&count=exact&cursor={cursor}")).status_code == 200
    assert (await service.get(f"/visits?centre=lund&cursor={cursor}")).status_code == 400
    broken = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    assert (await service.get(f"/infusions?centre=lund&cursor={broken}")).status_code == 400


async def test_no_total_unless_asked_for(service: Service):
    await service.recorded()
    assert "total" not in (await service.get("/infusions")).json()
    assert (await service.get("/infusions?count=exact")).json()["total"] == 1
