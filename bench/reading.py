"""What is asked most: the due list of a centre, and the feed polled at its end. Whole routes on loopback, beside bare
ones of the same process."""

import gzip
import secrets
from collections.abc import Sequence
from urllib.parse import urlencode

import orjson

from app.access import accounts, tokens
from app.access.accounts import NewAccount
from app.access.tokens import NewToken
from app.actor import Actor, Role
from app.clock import Clock
from app.db.columns import new_id
from app.db.transaction import begin
from app.pages.due_list import MOST_ROWS, OPENS_WITHIN
from bench import load
from bench.databases import Makes, Place
from bench.measure import Figure, Measured, Round, in_turn
from bench.people import CENTRES, TODAY
from bench.serving import Servers

CLIENTS = 32  # so many that what one waits for is not what is measured
OPERATOR = Actor("operator", Role.OPERATOR, None, unit="operator", id="operator")


async def token(place: Place, role: Role, centre: str | None) -> str:
    """A token of the database, as `follow-up token add` makes it."""
    db = place.open()
    scopes = frozenset({"alerts:read", "infusions:write"}) if role is Role.INTEGRATION else frozenset[str]()
    async with begin(db, OPERATOR, Clock(fixed=TODAY)) as tx:
        made = await tokens.add(
            tx, NewToken(f"bench {new_id()}", role, None if centre is None else frozenset({centre}), scopes)
        )
    await db.close()
    return made


async def account(place: Place, centre: str) -> tuple[str, str]:
    """A nurse's account of the database, as `follow-up user add` makes it: user name and password."""
    db, username = place.open(), f"bench-{secrets.token_hex(4)}"
    async with begin(db, OPERATOR, Clock(fixed=TODAY)) as tx:
        password = await accounts.add(tx, NewAccount(username, f"Nurse {username}", Role.NURSE, frozenset({centre})))
    await db.close()
    return username, password


async def due_list(
    makes: Makes, servers: Servers, nations: Sequence[int], *, requests: int, rounds: int
) -> list[Figure]:
    """Fifty visits of one centre, with authentication and access log, against the same rows as JSON made by the
    database."""
    bare = load.request("GET", f"/bare/due?centre={CENTRES[0]}")
    places, pairs, amounts = await _places(makes, nations), [], []
    for place in places:
        whole = load.request("GET", "/api/v1/visits?limit=50", await token(place, Role.NURSE, CENTRES[0]))
        port = servers.port(place)
        shown = [(await load.one(port, wanted)).body.count(b'"window_end"') for wanted in (whole, bare)]
        assert shown[0] == shown[1] > 0, f"the list shows {shown[0]} visits, the database {shown[1]}"
        amounts.append((shown[0], _persons((await load.one(port, whole)).body)))
        pairs.append((_round(port, whole, requests, 200), _round(port, bare, requests, 200)))
    return _lines(
        "due list of 50, PostgreSQL", places, await in_turn(pairs, rounds=rounds, amounts=amounts), least_ratio=0.45
    )


async def first_page(
    makes: Makes, servers: Servers, nations: Sequence[int], *, requests: int, rounds: int
) -> list[Figure]:
    """The nurse's list of one centre as her browser gets it, compressed, against the JSON route with the same
    visits."""
    places, pairs, amounts = await _places(makes, nations), [], []
    for place in places:
        port = servers.port(place)
        username, password = await account(place, CENTRES[0])
        form = urlencode({"username": username, "password": password}).encode()
        login = load.request("POST", "/login", body=form, media_type="application/x-www-form-urlencoded")
        cookie = (await load.one(port, login)).header("set-cookie").partition(";")[0]
        page = load.request("GET", "/", Cookie=cookie, Accept_Encoding="gzip")
        states = f"state=planned,due,overdue&opens_to={TODAY + OPENS_WITHIN}&limit={MOST_ROWS}"
        bare = load.request("GET", f"/api/v1/visits?{states}", await token(place, Role.NURSE, CENTRES[0]))
        shown = gzip.decompress((await load.one(port, page)).body).count(b'<tbody role="rowgroup" id="v-')
        told = (await load.one(port, bare)).body.count(b'"window_end"')
        assert shown == told > 0, f"the page shows {shown} visits, the route {told}"
        amounts.append(shown)
        pairs.append((_round(port, page, requests, 200), _round(port, bare, requests, 200)))
    return _lines(
        "due list as a page, PostgreSQL", places, await in_turn(pairs, rounds=rounds, amounts=amounts), least_ratio=0.5
    )


async def undecided(
    makes: Makes, servers: Servers, nations: Sequence[int], *, requests: int, rounds: int
) -> list[Figure]:
    """Fifty patients of one centre who need a decision, the longest silence first."""
    places, pairs = await _places(makes, nations), []
    for place in places:
        wanted = load.request("GET", "/api/v1/patients?limit=50", await token(place, Role.NURSE, CENTRES[0]))
        pairs.append((_round(servers.port(place), wanted, requests, 200), None))
    return _lines("patients who need a decision, PostgreSQL", places, await in_turn(pairs, rounds=rounds), most=10)


async def poll(makes: Makes, servers: Servers, nations: Sequence[int], *, requests: int, rounds: int) -> list[Figure]:
    """The feed at its end: nothing is new, and the answer is 304 without a body."""
    bare = load.request("GET", "/bare/not-modified")
    places, pairs = await _places(makes, nations), []
    for place in places:
        system, port = await token(place, Role.INTEGRATION, CENTRES[0]), servers.port(place)
        snapshot = await load.one(port, load.request("GET", "/api/v1/alerts?limit=1", system))
        assert snapshot.status == 200, f"alerts are answered {snapshot.status}"
        cursor = snapshot.body.split(b'"feed_cursor":"')[1].split(b'"')[0].decode()
        path = f"/api/v1/alerts/events?after={cursor}"
        tag = (await load.one(port, load.request("GET", path, system))).header("etag")
        whole = load.request("GET", path, system, **{"If-None-Match": tag})
        pairs.append((_round(port, whole, requests, 304), _round(port, bare, requests, 304)))
    return _lines("feed polled at its end, 304", places, await in_turn(pairs, rounds=rounds), least_ratio=0.35)


async def feed(makes: Makes, servers: Servers, nations: Sequence[int], *, requests: int, rounds: int) -> list[Figure]:
    """A hundred events of one centre, against the same rows as JSON made by the database."""
    bare = load.request("GET", f"/bare/events?centre={CENTRES[0]}")
    places, pairs, amounts = await _places(makes, nations), [], []
    for place in places:
        system, port = await token(place, Role.INTEGRATION, CENTRES[0]), servers.port(place)
        whole = load.request("GET", "/api/v1/alerts/events?after=0", system)
        counts = [(await load.one(port, wanted)).body.count(b'"window_end"') for wanted in (whole, bare)]
        assert counts[0] == counts[1] > 0, f"the feed shows {counts[0]} events, the database {counts[1]}"
        items = orjson.loads((await load.one(port, whole)).body)["items"]
        amounts.append((counts[0], len({event["data"]["patient_id"] for event in items})))
        pairs.append((_round(port, whole, requests, 200), _round(port, bare, requests, 200)))
    measured = await in_turn(pairs, rounds=rounds, amounts=amounts)
    return _lines("feed, a page of 100 events, PostgreSQL", places, measured, least_ratio=0.5)


def _persons(body: bytes) -> int:
    return len({visit["patient_id"] for visit in orjson.loads(body)["items"]})


async def _places(makes: Makes, nations: Sequence[int]) -> list[Place]:
    return [await makes.place("postgresql", patients) for patients in nations]


def _lines(
    name: str,
    places: Sequence[Place],
    measured: Sequence[Measured],
    *,
    least_ratio: float | None = None,
    most: float | None = None,
) -> list[Figure]:
    return [
        one.figure(name, place.size, least_ratio=least_ratio, most=most)
        for place, one in zip(places, measured, strict=True)
    ]


def _round(port: int, wanted: bytes, requests: int, status: int) -> Round:
    async def take() -> float:
        took, statuses = await load.many(port, [wanted] * requests, clients=CLIENTS)
        assert set(statuses) == {status}, f"asked for {status}, answered {dict(statuses)}"
        return took

    return take
