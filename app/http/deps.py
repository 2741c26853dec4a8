"""What a route asks for: a transaction of the actor that the middleware found, a reading with conditional answers, the
mark of its act."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from re import Pattern
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Request, params
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import Response

from app.actor import Act, Actor, Role
from app.db import feed
from app.db.transaction import Transaction as Transaction
from app.db.transaction import begin
from app.errors import FieldError, Forbidden, Invalid, SessionWasOver
from app.followup import unseen
from app.followup.alerts import Polled
from app.followup.commands import Ask, Page
from app.http import conditional, paging
from app.http.call import actor_of, header, of
from app.http.conditional import answer
from app.http.middleware import guarded

JSON = Mapping[str, Any]
MOST_FAULTS = 50  # of one query; whoever sends more has not mistyped


# ---- Transactions ----------------------------------------------------------------------------------------------------


def refuse_kept(request: Request) -> None:
    """Raises SessionWasOver for a form that was kept: nothing that it asks for is done before its sender sends it
    again."""
    if of(request.scope).is_kept:
        raise SessionWasOver


async def open_transaction(request: Request) -> AsyncIterator[Transaction]:
    """A writing transaction. It ends (commits, or rolls back) before the answer leaves, by `scope="function"`. Raises
    SessionWasOver for a form that was kept."""
    house, scope = request.app.state, request.scope
    refuse_kept(request)
    async with begin(house.db, actor_of(scope), house.clock, of(scope).request_id) as tx:
        yield tx


writing = asynccontextmanager(open_transaction)  # the same where no dependency is at hand


class Reading:
    """A reading transaction and the request's conditions: each answer has its ETag, and what the caller holds already
    is 304."""

    __slots__ = ("request", "tx")

    def __init__(self, tx: Transaction, request: Request) -> None:
        self.tx = tx
        self.request = request

    async def one(self, question: Callable[[Transaction], Awaitable[JSON]]) -> Response:
        """One object that depends on the day or on other rows: `"<version>.<stamp>"`, or `W/"<stamp>"` where it has no
        version."""
        stamp, given = await self._stamp(), self._given()
        weak = f'W/"{stamp}"'
        mine = conditional.held_version(given, stamp) or (weak if conditional.held(given, weak) else None)
        if mine is not None:
            return conditional.not_modified(mine)
        found = await question(self.tx)
        return answer(found, etag=conditional.version_tag(found["version"], stamp) if "version" in found else weak)

    async def page(
        self,
        question: Callable[[Transaction, Ask], Awaitable[Page]],
        limit: int,
        cursor: str | None,
        count: str | None = None,
        *,
        tagged: bool = True,
    ) -> Response:
        """A page of a list, as of the day on which its walk began; not `tagged`: for what changes without a writing
        commit."""
        query, path, sign = self.request.query_params, self.request.scope["path"], self.tx.keys.blind
        asked = paging.ask(path, query, self.tx.today, sign, limit=limit, cursor=cursor, count=count)
        self.tx.today = asked.as_of_date
        etag = f'W/"{await self._stamp()}"' if tagged else None
        if etag is not None and conditional.held(self._given(), etag):
            return conditional.not_modified(etag)
        body, headers = paging.body(path, query, asked, await question(self.tx, asked), sign)
        return answer(body, 200, headers, etag)

    async def fixed(self, version: int, question: Callable[[Transaction], Awaitable[JSON]]) -> Response:
        """One object that never changes: its version is its tag. It is looked up all the same, so that what does not
        exist is 404."""
        found, etag = await question(self.tx), conditional.version_tag(version)
        return conditional.not_modified(etag) if conditional.held(self._given(), etag) else answer(found, etag=etag)

    async def feed(self, question: Callable[[Transaction], Awaitable[Polled]]) -> Response:
        """A page of the feed; 304 after one look at the head row when the caller holds it already. Its tag holds how
        far it reached and whether it was full: a full page never changes, another one only when the head has moved
        on."""
        own = conditional.stamp(self.tx.actor, self._address())
        if (held := await self._feed_held(own)) is not None:
            return held
        page = await question(self.tx)
        etag = f'"{page.next_cursor}:{"full" if page.has_more else "open"}:{own}"'
        body = {"items": page.items, "next_cursor": page.next_cursor, "has_more": page.has_more}
        # Where nothing more is there no link is given: whoever follows links would poll without a pause.
        query = self.request.query_params
        return answer(
            body,
            200,
            paging.link(self.request.scope["path"], query, "after", page.next_cursor) if page.has_more else None,
            etag,
        )

    async def _feed_held(self, own: str) -> Response | None:
        mine = [tag for tag in conditional.tags(self._given()) if tag.endswith(f":{own}")]
        head = await feed.head(self.tx) if mine else None
        for tag in mine:
            reached, _, rest = tag.rpartition(":")[0].partition(":")
            if head is not None and _still_fits(reached, head, full=rest == "full"):
                return conditional.not_modified(f'"{tag}"')
        return None

    async def _stamp(self) -> str:
        # The head is read first: a commit in between makes the tag older than the answer, and the next question is
        # simply answered again.
        head = await feed.head(self.tx)
        return conditional.stamp(self.tx.actor, self._address(), head.last_at.timestamp(), self.tx.today)

    def _address(self) -> str:
        scope = self.request.scope
        return f"{scope['path']}?{scope['query_string'].decode('latin-1')}"

    def _given(self) -> str | None:
        return header(self.request.scope, b"if-none-match")


def _still_fits(reached: str, head: feed.Head, *, full: bool) -> bool:
    return reached.partition(".")[0] == str(head.epoch) if full else reached == f"{head.epoch}.{head.last_seq}"


async def open_reading(request: Request) -> AsyncIterator[Reading]:
    """A reading. What it has shown stands in the access log before the answer leaves."""
    async with reading(request) as read:
        yield read


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Reading]:
    """The same where no dependency is at hand."""
    house, scope = request.app.state, request.scope
    async with begin(house.db, actor_of(scope), house.clock, of(scope).request_id, writing=False) as tx:
        yield Reading(tx, request)


# Who asks where no token is needed: the counts of the whole network and the service's own state, never a person.
_OPERATIONS = Actor("operations", Role.NETWORK, None, unit="network", id="operations")


@asynccontextmanager
async def unasked(request: Request, *, writing: bool = False) -> AsyncIterator[Transaction]:
    """A transaction for the addresses that need no token; `writing`: to see whether one can be had."""
    house = request.app.state
    async with begin(house.db, _OPERATIONS, house.clock, of(request.scope).request_id, writing=writing) as tx:
        yield tx


async def open_unasked(request: Request) -> AsyncIterator[Transaction]:
    """A reading for them."""
    async with unasked(request) as tx:
        yield tx


TxDep = Annotated[Transaction, Depends(open_transaction, scope="function")]
ReadDep = Annotated[Reading, Depends(open_reading, scope="function")]
OpenDep = Annotated[Transaction, Depends(open_unasked, scope="function")]


# ---- The mark of a route ---------------------------------------------------------------------------------------------


_KINDS = ("patient", "infusion", "visit", "alert", "contact")


def _uuid(given: object) -> UUID | None:
    try:
        return UUID(str(given))
    except ValueError:
        return None


class _Mark:
    """Refuses callers that may not, before a transaction is opened, and query parameters that the route does not
    know."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.parameters: frozenset[str] = frozenset()

    async def __call__(self, request: Request) -> None:
        actor = actor_of(request.scope)
        if not actor.may(self.act):
            await self._tell(request)
        actor.must(self.act)
        if request.scope["query_string"]:
            self._refuse_unknown(request)

    async def _tell(self, request: Request) -> None:
        """That somebody may not do this to a patient stands in the log of reads, as every refusal about one."""
        asked = {kind: given for kind in _KINDS if (given := _uuid(request.path_params.get(f"{kind}_id")))}
        for kind, given in asked.items():
            async with reading(request) as read:
                await unseen.concern(read.tx, kind, given)
                read.tx.refused(Forbidden())

    def _refuse_unknown(self, request: Request) -> None:
        given = Counter(name for name, _ in request.query_params.multi_items())
        faults = [
            FieldError(name, "unknown_parameter", "There is no such parameter here.")
            for name in given
            if name not in self.parameters
        ]
        faults += [
            FieldError(name, "given_twice", "A parameter is given once.") for name, times in given.items() if times > 1
        ]
        if faults:
            raise Invalid(
                "The query has parameters that this address does not take.",
                errors=faults[:MOST_FAULTS],
                code=faults[0].code,
            )


def Needs(act: Act) -> params.Depends:  # noqa: N802 - reads as a word in the list of a route's dependencies
    """The mark of a route: who may. The act of `followup` asks once more, for commands and the worker pass no route."""
    return params.Depends(_Mark(act))


@dataclass(frozen=True, slots=True)
class Address:
    """The addresses of one route: their pattern, the methods that it takes, and whether they are open to everybody."""

    pattern: Pattern[str]
    methods: frozenset[str]
    is_open: bool


def refuse_undeclared(app: FastAPI, *, open_paths: frozenset[str], number: int) -> dict[tuple[str, str], Act]:
    """Stops the start when a route lacks its mark, or when there are not `number` of them; answers who may what, by
    path and method.

    `app.routes` is a tree: walking it finds nothing and is content for ever. So the number is asked for.
    """
    table: dict[tuple[str, str], Act] = {}
    addresses: list[Address] = []
    for found in iter_route_contexts(app.routes):
        route, path = found.original_route, found.path
        if not isinstance(route, APIRoute) or path is None:
            raise RuntimeError(f"{path} is no route of the API's kind")
        addresses.append(Address(found.path_regex, frozenset(found.methods or ()), path in open_paths))
        marks = [d.call for d in found.dependant.dependencies if isinstance(d.call, _Mark)]
        if path in open_paths and not guarded(path) and not marks:
            continue
        if len(marks) != 1:
            raise RuntimeError(f"{path} must declare one act by Needs(...), and declares {len(marks)}")
        own = (found.dependant, *found.dependant.dependencies)
        marks[0].parameters = frozenset(field.alias for needed in own for field in needed.query_params)
        table |= {(path, method): marks[0].act for method in found.methods or ()}
    if len(table) != number:
        raise RuntimeError(f"{len(table)} routes declare their act; {number} are expected")
    app.state.addresses = addresses
    return table
