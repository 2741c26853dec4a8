"""A small HTTP client that costs little: it keeps its connections and reads only what it needs of an answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers as they came, and body."""

    status: int
    headers: bytes
    body: bytes

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        for line in self.headers.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode():
                return value.strip().decode()
        return ""


def request(
    method: str, path: str, token: str = "", body: bytes = b"", media_type: str = "application/json", **headers: str
) -> bytes:
    """The bytes of a request; `if_none_match` is the header If-None-Match."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Type: {media_type}", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def one(port: int, wanted: bytes) -> Answer:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        return await _exchange(reader, writer, wanted)
    finally:
        writer.close()


async def many(port: int, wanted: Iterable[bytes], *, clients: int) -> tuple[float, Counter[int]]:
    """Seconds for one request when so many clients ask at once, each as soon as it has its answer; and how often each
    status came."""
    left, statuses = iter(wanted), Counter[int]()
    connections = [await asyncio.open_connection("127.0.0.1", port, limit=2**24) for _ in range(clients)]
    began = time.perf_counter()
    await asyncio.gather(*[_ask(reader, writer, left, statuses) for reader, writer in connections])
    took = time.perf_counter() - began
    for _, writer in connections:
        writer.close()
    return took / statuses.total(), statuses


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Iterator[bytes], statuses: Counter[int]
) -> None:
    for wanted in left:
        statuses[(await _exchange(reader, writer, wanted)).status] += 1


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wanted: bytes) -> Answer:
    writer.write(wanted)
    headers = await reader.readuntil(b"\r\n\r\n")
    told = Answer(int(headers[9:12]), headers, b"")
    length = int(told.header("content-length") or 0)
    return Answer(told.status, headers, await reader.readexactly(length)) if length and told.status != 304 else told
