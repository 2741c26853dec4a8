"""What a connection may send, and for how long: a server of uvicorn's own on loopback, with our protocol, patient for a
moment only."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.http.connection import HEAD_BYTES, HEADERS, Connection

LONG, SHORT = 30.0, 0.2
OVER = HEAD_BYTES + 1


class Patient(Connection):
    HEAD_SECONDS = LINGER_SECONDS = STALLED_SECONDS = LONG
    MOST = 5
    lost: asyncio.Event

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


class Hasty(Patient):
    HEAD_SECONDS = LINGER_SECONDS = STALLED_SECONDS = SHORT


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells which headers it got when the body has been read; at /early without reading it, at /long with more than a
    socket takes."""
    body = b""
    while scope["path"] not in ("/early", "/long"):
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    told = b"x" * 50_000_000 if scope["path"] == "/long" else json.dumps([len(body), len(scope["headers"])]).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(told)).encode())]}
    )
    await send({"type": "http.response.body", "body": told})


@dataclass
class Client:
    """One connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to what is sent."""
        self.writer.write(sent)
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), LONG)).decode()
        lines = head.split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(head.split(" ")[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def ended(self) -> bool:
        """Waits until the server ends the connection."""
        try:
            while await asyncio.wait_for(self.reader.read(1 << 16), LONG):
                pass
        except ConnectionResetError:
            pass
        return True


class Place:
    """A server and its clients."""

    def __init__(self, protocol: type[Patient]) -> None:
        self.config = uvicorn.Config(application, http=protocol, ws="none", lifespan="off", log_config=None)
        self.config.load()
        self.state, self.lost = ServerState(), asyncio.Event()
        self.protocol = protocol
        self.clients: list[Client] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.listening = await loop.create_server(self._connection, "127.0.0.1", 0)

    def _connection(self) -> Patient:
        made = self.protocol(self.config, self.state, {})
        made.lost = self.lost
        return made

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(*self.listening.sockets[0].getsockname())))
        return self.clients[-1]

    async def asked(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer to what a new client sends."""
        return await (await self.client()).ask(sent)

    async def stop(self) -> None:
        for client in self.clients:
            client.writer.close()
        self.listening.close()
        await asyncio.gather(*self.state.tasks)


@pytest.fixture
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    made = Place(getattr(request, "param", Patient))
    await made.start()
    yield made
    await made.stop()


hasty = pytest.mark.parametrize("place", [Hasty], indirect=True)


def get(*headers: bytes, path: bytes = b"/") -> bytes:
    return b"\r\n".join([b"GET %s HTTP/1.1" % path, b"host: here", *headers, b"", b""])


POST = b"POST / HTTP/1.1\r\nhost: here\r\n"


async def test_what_is_asked_in_measure_is_answered_and_the_connection_stays(place: Place):
    client = await place.client()
    many, long = [b"x-%d: 1" % n for n in range(HEADERS - 1)], b"x: " + b"y" * (HEAD_BYTES - 200)
    for sent, seen in (
        (get(*many), [0, 100]),
        (get(long), [0, 2]),
        (POST + b"content-length: 3\r\n\r\nabc", [3, 2]),
        (get(), [0, 1]),
    ):
        status, _, body = await client.ask(sent)
        assert (status, json.loads(body)) == (200, seen)


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (get(b"cookie: a=" + b"\\" * 80_000), 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * OVER, 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\n" + b"y" * OVER, 431, "headers-too-large"),
        (get(*[b"x-%d: 1" % n for n in range(HEADERS)]), 431, "headers-too-large"),
        (get(path=b"/" + b"x" * 8192), 414, "address-too-long"),
        (b"GET /" + b"x" * OVER, 414, "address-too-long"),
        (POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n1;" + b"x" * 20 * OVER, 0, ""),
        (POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: " + b"y" * 20 * OVER, 0, ""),
        (b"no such thing\r\n\r\n", 400, "malformed"),
    ],
    ids=[
        "cookie",
        "endless value",
        "endless name",
        "many",
        "address",
        "endless address",
        "endless part of a body",
        "endless trailer",
        "nothing",
    ],
)
async def test_what_is_too_much_is_refused_and_ends_the_connection(place: Place, sent: bytes, status: int, kind: str):
    client = await place.client()
    if status:
        told, headers, body = await client.ask(sent)
        assert (told, headers["connection"], json.loads(body)["type"]) == (status, "close", f"/problems/{kind}")
    else:  # in the middle of a request there is nobody to tell
        client.writer.write(sent)
        assert await client.ended()
    assert (await place.asked(get()))[0] == 200


async def test_a_trailer_changes_nothing_of_its_request(place: Place):
    status, _, body = await place.asked(
        POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nauthorization: x\r\n\r\n"
    )
    assert (status, json.loads(body)) == (200, [1, 2])


async def test_who_sends_on_after_a_refusal_is_cut_off(place: Place):
    client = await place.client()
    client.writer.write(get(*[b"x: " + b"y" * OVER] * 40))
    assert await client.ended()


@hasty
@pytest.mark.parametrize(
    ("sent", "told"), [(b"", b""), (b"\r\n", b"HTTP/1.1 408"), (b"GET / HTTP/1.1\r\nhost: h", b"HTTP/1.1 408")]
)
async def test_a_head_that_does_not_come_ends_its_connection(place: Place, sent: bytes, told: bytes):
    client = await place.client()
    client.writer.write(sent)
    assert (await asyncio.wait_for(client.reader.read(12), LONG)) == told
    assert await client.ended()


@hasty
async def test_a_head_that_drips_is_not_waited_for_from_drop_to_drop(place: Place):
    client = await place.client()
    for _ in range(1000):
        client.writer.write(b"\r\n")
        if await _at_end(client):
            return
    pytest.fail("it may drip for ever")


async def _at_end(client: Client) -> bool:
    try:
        return await asyncio.wait_for(client.reader.read(1 << 16), SHORT / 10) != b""
    except TimeoutError:
        return False


@hasty
async def test_an_answer_before_the_body_has_come_ends_the_connection_when_the_body_does_not_come(place: Place):
    client = await place.client()
    status, _, _ = await client.ask(b"POST /early HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc")
    assert status == 200
    assert await client.ended()


async def test_an_answer_before_the_body_has_come_leaves_the_connection_when_the_body_comes(place: Place):
    client = await place.client()
    await client.ask(b"POST /early HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc")
    assert (await client.ask(b"defghij" + get()))[0] == 200


@hasty
async def test_an_answer_that_is_not_read_ends_its_connection(place: Place):
    (await place.client()).writer.write(get(path=b"/long"))
    await asyncio.wait_for(place.lost.wait(), LONG)


async def test_the_connection_that_has_waited_longest_makes_room_for_a_new_one(place: Place):
    first, *others = [await place.client() for _ in range(Patient.MOST)]
    assert (await others[0].ask(get()))[0] == 200
    assert (await place.asked(get()))[0] == 200
    assert await first.ended()
    assert [(await client.ask(get()))[0] for client in others] == [200] * len(others)


async def test_bodies_that_are_waited_for_make_room_only_where_no_head_is(place: Place):
    waiting = [await place.client() for _ in range(Patient.MOST)]
    for client in waiting[:-1]:
        client.writer.write(POST + b"content-length: 10\r\nexpect: 100-continue\r\n\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    new = [await place.client() for _ in range(2)]
    assert await waiting[-1].ended()
    assert [(await client.ask(b"0123456789"))[0] for client in waiting[:-1]] == [200] * (Patient.MOST - 1)
    assert (await new[-1].ask(get()))[0] == 200
