"""JSON is read strictly, and no more of a body than is allowed (contract 1)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.conftest import Service

JSON = {"Content-Type": "application/json"}
KEYS_1001 = b"{" + b",".join(b'"k%d":1' % n for n in range(1001)) + b"}"
KEYS_1001_IN_A_LIST = b"[" + b",".join(b'{"k":1}' for _ in range(1001)) + b"]"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not_json"),
        (b'{"name": "a"} more', "not_json"),
        (b"{'name': 'a'}", "not_json"),
        (b'{"name": "a",}', "not_json"),
        (b'{"name": "a\nb"}', "not_json"),
        (b'\xef\xbb\xbf{"name": "a"}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"a":' * 100_000, "not_json"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not_json"),
        (b'{"name": "\xff"}', "not_utf8"),
        (b'{"name": "\xed\xa0\x80"}', "not_utf8"),
        ('{"name": "å"}'.encode("latin-1"), "not_utf8"),
        ('{"name": "a"}'.encode("utf-16"), "not_utf8"),
        (b'{"name": "a", "name": "b"}', "duplicate_key"),
        (b'{"identifier": {"system": "x", "system": "y"}}', "duplicate_key"),
        (b'{"name": "a", "n\\u0061me": "b"}', "duplicate_key"),
        (b'{"name": NaN}', "not_finite"),
        (b'{"name": Infinity}', "not_finite"),
        (b'{"name": -Infinity}', "not_finite"),
        (b'{"name": 1e999}', "not_finite"),
        (b'{"name": "\\ud800"}', "lone_surrogate"),
        (b'{"name": "\\udc00\\ud800"}', "lone_surrogate"),
        (b'{"\\ud800": 1}', "lone_surrogate"),
        (KEYS_1001, "too_many_keys"),
        (KEYS_1001_IN_A_LIST, "too_many_keys"),
    ],
)
async def test_what_is_not_strict_json_is_malformed(service: Service, body: bytes, code: str):
    told = await service.call("POST", "/patients/search", content=body, headers=JSON)
    assert (told.status_code, told.json()["type"], told.json()["code"]) == (400, "/problems/malformed", code)


@pytest.mark.parametrize("body", [b'{"name": "\\ud83d\\ude00"}', '{"name": "😀 Åsa"}'.encode(), b' {"name" : "x"}\r\n'])
async def test_what_is_json_is_read(service: Service, body: bytes):
    assert (await service.call("POST", "/patients/search", content=body, headers=JSON)).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ('application/json; charset="utf-8"', 200),
        ("application/json; charset=latin-1", 400),
        ("application/merge-patch+json", 415),
        ("text/plain", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        (None, 415),
    ],
)
async def test_json_says_that_it_is_json(service: Service, content_type: str | None, status: int):
    headers = {"Content-Type": content_type} if content_type else {}
    told = await service.call("POST", "/patients/search", content=b'{"name": "x"}', headers=headers)
    assert told.status_code == status
    if status == 415:
        assert told.json()["type"] == "/problems/unsupported-media-type"


async def test_a_patch_may_say_that_it_is_a_merge_patch(service: Service):
    body = await service.recorded()
    told = await service.call(
        "PATCH",
        f"/infusions/{body['id']}",
        content=b'{"batch": "SE-1"}',
        headers={"Content-Type": "application/merge-patch+json", "If-Match": '"1"'},
    )
    assert told.status_code == 200


async def _in_parts(parts: int) -> AsyncIterator[bytes]:
    for _ in range(parts):
        yield b" " * 100_000


async def _with_length(service: Service, length: int) -> list[Any]:
    """A call that only declares its length; what the service sends, and whether it read."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        sent.append("read")
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("status"))

    headers = [
        (b"host", b"localhost"),
        (b"authorization", b"Bearer demo-nurse-lund"),
        (b"content-type", b"application/json"),
        (b"content-length", str(length).encode()),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/patients/search",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    await service.app(
        {**scope, "http_version": "1.1", "scheme": "http", "root_path": "", "server": ("service", 80)}, receive, send
    )
    return sent


async def test_a_body_that_is_too_large_is_413_once_its_size_is_known(service: Service):
    told = await service.call("POST", "/patients/search", content=_in_parts(11), headers=JSON)
    assert (told.status_code, told.json()["type"]) == (413, "/problems/too-large")


async def test_a_body_that_says_it_is_too_large_is_413_unread(service: Service):
    assert await _with_length(service, 20_000_000) == [413, None]


async def test_an_import_may_be_larger(service: Service):
    taken = await service.call(
        "POST", "/imports", token="demo-coordinator-lund", content=_in_parts(11), headers={"Content-Type": "text/csv"}
    )
    assert taken.status_code == 422
    refused = await service.call(
        "POST", "/imports", token="demo-coordinator-lund", content=_in_parts(641), headers={"Content-Type": "text/csv"}
    )
    assert refused.status_code == 413


async def test_a_thousand_keys_are_read(service: Service):
    body = b'{"name": "x",' + b",".join(b'"k%d":1' % n for n in range(999)) + b"}"
    told = await service.call("POST", "/patients/search", content=body, headers=JSON)
    assert (told.status_code, len(told.json()["errors"])) == (422, 999)
