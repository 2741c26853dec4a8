"""Behind a reverse proxy: whose address counts, where browsers see the service, and what its cookie is called."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from pydantic import ValidationError

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.http.cookie import NAME, NAME_OVER_HTTPS
from app.main import AppContext
from app.settings import Settings
from tests.api.conftest import TODAY, Service

ORIGIN = "https://follow-up.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Make = Callable[..., Service]


@pytest.fixture
async def behind(sqlite_url: str) -> AsyncIterator[Make]:
    """A service at 127.0.0.1 with settings of its own, and a peer that calls it."""
    db, made = Database(sqlite_url, Keys.fresh()), []

    def make(peer: str = "10.0.0.5", **settings: str) -> Service:
        chosen = Settings(database_url=sqlite_url, demo_tokens=True, **settings)  # type: ignore[arg-type]
        house = AppContext(db, Clock(fixed=TODAY), chosen)
        made.append(Service(house, peer=peer))
        return made[-1]

    yield make
    for service in made:
        await service.client.aclose()
    await db.close()


async def _fails(service: Service, forwarded: str, times: int = 1) -> list[int]:
    """What a wrong password is answered, sent by a proxy for somebody."""
    headers = FORM | {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": forwarded}
    return [
        (await service.client.post("/login", content="username=nobody&password=wrong", headers=headers)).status_code
        for _ in range(times)
    ]


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [("10.0.0.5", "10.0.0.5"), ("192.0.2.9, 10.0.0.0/24", "10.0.0.5"), ("10.0.0.5", "::ffff:10.0.0.5")],
)
async def test_of_a_trusted_proxy_the_clients_own_address_counts(behind: Make, trusted: str, peer: str):
    service = behind(peer, trusted_proxies=trusted)
    assert await _fails(service, "203.0.113.1", 6) == [401] * 5 + [429]
    assert await _fails(service, "203.0.113.2") == [401]
    # The rightmost that is no proxy's: what stands left of it is anybody's word.
    assert await _fails(service, "203.0.113.9, 203.0.113.1, 10.0.0.5") == [429]


@pytest.mark.parametrize("trusted", ["", "10.0.0.6", "192.0.2.0/24"])
@pytest.mark.parametrize("peer", ["10.0.0.5", "127.0.0.1"])
async def test_what_nobody_has_named_is_not_believed(behind: Make, trusted: str, peer: str):
    service = behind(peer, trusted_proxies=trusted)
    told = [(await _fails(service, f"203.0.113.{n}"))[0] for n in range(6)]
    assert told == [401] * 5 + [429]


async def test_of_ipv6_a_whole_network_of_64_bits_is_one_client(behind: Make):
    service = behind(trusted_proxies="10.0.0.5")
    told = [(await _fails(service, f"2001:db8::{n:x}"))[0] for n in range(6)]
    assert told == [401] * 5 + [429]
    assert await _fails(service, "2001:db8:0:1::1") == [401]


async def _log_in(service: Service, **headers: str) -> httpx.Response:
    return await service.client.post(
        "/login/demo", content="token=demo-nurse-lund", headers=FORM | {"Sec-Fetch-Site": "same-origin"} | headers
    )


async def test_over_https_the_cookie_is_secure_and_of_this_host_alone(behind: Make):
    service = behind("127.0.0.1", public_origin=ORIGIN)
    cookie = (await _log_in(service)).headers["set-cookie"]
    assert cookie.startswith(f"{NAME_OVER_HTTPS}=")
    assert cookie.endswith("; Secure")
    assert "Domain" not in cookie
    secret = cookie.partition("=")[2].partition(";")[0]
    service.client.cookies.clear()
    for name, status in ((NAME_OVER_HTTPS, 200), (NAME, 303)):
        assert (await service.client.get("/", headers={"Cookie": f"{name}={secret}"})).status_code == status


@pytest.mark.parametrize(("trusted", "name"), [("127.0.0.1", NAME_OVER_HTTPS), ("10.0.0.5", NAME)])
async def test_without_an_origin_a_trusted_proxy_says_whether_it_is_https(behind: Make, trusted: str, name: str):
    service = behind("127.0.0.1", trusted_proxies=trusted)
    answer = await service.client.post(
        "/logout", headers=FORM | {"X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 303
    answer = await service.client.post(
        "/login", content="", headers=FORM | {"X-Forwarded-Proto": "https", "Origin": "http://localhost"}
    )
    assert answer.status_code == (403 if name == NAME_OVER_HTTPS else 401)


@pytest.mark.parametrize(
    ("origin", "status"),
    [(ORIGIN, 401), ("http://follow-up.example", 403), ("https://localhost", 403), ("http://localhost", 403),
     (f"{ORIGIN}:8443", 403),
     (f"{ORIGIN}.evil.example", 403), ("null", 403), ("", 403)],
)  # fmt: skip
async def test_forms_are_taken_from_the_public_origin_only(behind: Make, origin: str, status: int):
    service = behind(public_origin=ORIGIN)
    answer = await service.client.post("/login", content="username=a&password=b", headers=FORM | {"Origin": origin})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("name", "value"),
    [("trusted_proxies", "proxy.example"), ("trusted_proxies", "10.0.0.5/8"), ("trusted_proxies", "*"),
     ("trusted_proxies", "0.0.0.0/0"),
     ("trusted_proxies", "::/0"), ("public_origin", "follow-up.example"), ("public_origin", f"{ORIGIN}/"),
      ("public_origin", "https://a b"),
     ("public_origin", "HTTPS://follow-up.example")],
)  # fmt: skip
def test_a_setting_that_names_no_proxy_or_origin_is_refused(name: str, value: str):
    with pytest.raises(ValidationError) as refused:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]
