"""Opaque cursors and `Link: rel=next` (contract 1). A cursor carries the place and the day and fits one filter: one
walk shows one day."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import Query
from starlette.datastructures import QueryParams

from app.errors import BadCursor
from app.followup.commands import Ask, Page, Place

Limit = Annotated[int, Query(ge=1, le=500, description="rows of one page")]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next_cursor` of the page before; with the same filter only")
]
Count = Annotated[Literal["exact"] | None, Query(description="`exact` gives the whole number as `total`")]
Sign = Callable[[str, str], bytes]

_OF_PAGE = frozenset({"limit", "cursor", "count"})
_MAC_BYTES = 12


def ask(
    path: str, params: QueryParams, today: date, sign: Sign, *, limit: int, cursor: str | None, count: str | None
) -> Ask:
    """What part of the list is asked for. `sign` is the keyed hash (`keys.blind`): a cursor that we did not give out is
    BadCursor."""
    if cursor is None:
        return Ask(limit, today, None, count == "exact")
    as_of_date, place = _decode(cursor, question(path, params), sign)
    return Ask(limit, as_of_date, place, count == "exact")


def body(path: str, params: QueryParams, asked: Ask, page: Page, sign: Sign) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer's body and headers."""
    following = None if page.next is None else _encode(page.next, asked.as_of_date, question(path, params), sign)
    content: dict[str, Any] = {
        "items": page.items,
        "next_cursor": following,
        "has_more": following is not None,
        "as_of_date": asked.as_of_date,
        **page.facts,
    }
    if page.total is not None:
        content["total"] = page.total
    if following is None:
        return content, {}
    return content, link(path, params, "cursor", following)


def link(path: str, params: QueryParams, name: str, following: str) -> dict[str, str]:
    """The header that leads to the next page (RFC 8288): the same question with `name` set to where it goes on."""
    query = [(other, value) for other, value in params.multi_items() if other != name]
    return {"Link": f'<{path}?{urlencode([*query, (name, following)])}>; rel="next"'}


def question(path: str, params: QueryParams) -> str:
    """The list and its filter without the page: the same for every page of one walk."""
    return f"{path}?" + urlencode(sorted((name, value) for name, value in params.multi_items() if name not in _OF_PAGE))


def _encode(place: Place, as_of_date: date, filter_: str, sign: Sign) -> str:
    payload = orjson.dumps([as_of_date, [_tagged(part) for part in place]])
    return urlsafe_b64encode(_mac(payload, filter_, sign) + payload).decode().rstrip("=")


def _decode(cursor: str, filter_: str, sign: Sign) -> tuple[date, Place]:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        raise BadCursor(field="cursor") from None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(payload, filter_, sign)):
        raise BadCursor("The cursor was not given out for this question; begin again without it.", field="cursor")
    as_of_date, place = orjson.loads(payload)
    return date.fromisoformat(as_of_date), tuple(_untagged(part) for part in place)


def _mac(payload: bytes, filter_: str, sign: Sign) -> bytes:
    return sign("cursor", f"{filter_}\0{payload.decode('utf-8', 'replace')}")[:_MAC_BYTES]


def _tagged(part: date | UUID | int | str) -> Any:
    if isinstance(part, date):
        return {"d": part}
    return {"u": part} if isinstance(part, UUID) else part


def _untagged(part: Any) -> date | UUID | int | str:
    if isinstance(part, dict):
        return date.fromisoformat(part["d"]) if "d" in part else UUID(part["u"])
    plain: int | str = part
    return plain
