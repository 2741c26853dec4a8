"""ETag, If-Match, If-None-Match (contract 1): what has not changed is not sent again, and what has changed is not
overwritten."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from importlib import metadata
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header
from starlette.responses import Response

from app.actor import Actor
from app.errors import Malformed

_TAGS = re.compile(r'(?:W/)?"([!#-~]*)"')
_IF_MATCH = re.compile(r'(W/)?"([!#-~]{0,200})"')
_RELEASE = metadata.version("follow-up")
NO_VERSION = -1  # a tag that can be none of ours: it is stale whatever the version is


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None, etag: str | None = None) -> Response:
    """A dict as JSON: dates ISO, instants in UTC with Z."""
    response = Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, headers, "application/json")
    if etag is not None:
        response.headers["etag"] = etag
    return response


def changed(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The object after a change, with its version as ETag."""
    return answer(body, status, headers, version_tag(body["version"]))


def not_modified(etag: str) -> Response:
    """304: the caller has it already."""
    return Response(status_code=304, headers={"etag": etag})


def version_tag(version: int, stamp: str = "") -> str:
    """`"3"`, or `"3.<stamp>"` for what depends on the day or on other rows."""
    return f'"{version}.{stamp}"' if stamp else f'"{version}"'


def stamp(actor: Actor, address: str, *facts: object) -> str:
    """A hash of all that an answer depends on: our release, role and centres, which answer it is, and the facts (last
    writing commit, day)."""
    centres = "*" if actor.centres is None else ",".join(sorted(actor.centres))
    text = "|".join((_RELEASE, actor.role, centres, address, *map(str, facts)))
    return urlsafe_b64encode(blake2b(text.encode(), digest_size=12).digest()).decode()


def held(if_none_match: str | None, own: str) -> bool:
    """Whether one of the caller's tags is `own` (compared weakly, as RFC 9110 says for If-None-Match)."""
    return own.removeprefix("W/").strip('"') in tags(if_none_match)


def tags(if_none_match: str | None) -> list[str]:
    """The tags of If-None-Match without their marks."""
    return _TAGS.findall(if_none_match) if if_none_match else []


def held_version(if_none_match: str | None, own: str) -> str | None:
    """The caller's tag `"<version>.<own stamp>"`, if one is there: then nothing at all has changed, the version
    neither."""
    return next((f'"{tag}"' for tag in tags(if_none_match) if tag.partition(".")[2] == own), None)


def if_match(header: str | None) -> int | None:
    """The version that the caller read: the part of the tag before the dot. None without the header or for `*`, which
    names no version.

    Raises Malformed for what is not one entity tag. A weak tag or another's is NO_VERSION: stale (RFC 9110, strong
    comparison).
    """
    if header is None or header.strip() == "*":
        return None
    found = _IF_MATCH.fullmatch(header.strip())
    if found is None:
        raise Malformed('If-Match takes one entity tag: If-Match: "3".', field="If-Match", code="bad_etag")
    version = found[2].partition(".")[0]
    return int(version) if not found[1] and re.fullmatch(r"[1-9][0-9]{0,8}", version, re.ASCII) else NO_VERSION


async def _version(
    if_match_: Annotated[
        str | None, Header(alias="If-Match", description='The version that was read: `"3"`; 428 without it.')
    ] = None,
) -> int | None:
    return if_match(if_match_)


IfMatch = Annotated[int | None, Depends(_version)]
