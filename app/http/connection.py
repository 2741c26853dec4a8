"""One connection: what a client may send before anybody knows who it is, how long it may take, and how many there may
be at once.

uvicorn reads requests by httptools without any such limit; its own `limit_concurrency` counts connections and answers
503 to everybody once they are too many, whoever holds them. So its protocol is bounded here, by what it is called with
and by what it calls.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import AddressTooLong, FollowUpError, HeadersTooLarge, Malformed, TooSlow, Unavailable
from app.http import problems

log = structlog.get_logger("http")

HEAD_BYTES: Final = 32_768  # of an address and all headers
HEADERS: Final = 100
ADDRESS_BYTES: Final = 8_192
MOST: Final = 500  # open connections; a process has 1,024 files at least, and the database and logs need some


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with limits. It may be waiting for a request's head, for its body, or for an answer; only the
    first two are bounded here.

    `_idle_bytes` counts what has come in since anything came of it: an unfinished head, or what surrounds the parts of
    a body. So nothing that never ends is stored, whatever it is.
    """

    HEAD_SECONDS = 10.0  # from a request's first byte to its last header, and for the first byte of a connection
    # How long an answer that came before the whole request waits for the rest of it, so that the client can read the
    # answer.
    LINGER_SECONDS = 2.0
    STALLED_SECONDS = 30.0  # how long a client may leave an answer unread
    MOST = MOST

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.since = self.loop.time()  # it has been waiting for its client
        self.in_head = True
        self._headers = self._head_bytes = self._idle_bytes = 0
        self._fault: FollowUpError | None = None
        self._discards: int | None = None  # after a refusal: so many bytes are still read and thrown away
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    # ---- The transport's calls ----

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Bounded in number: the new one takes the place of the one that has been waiting for its client the
        longest."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # whatever a client leaves unread is noticed
        self._within(self.HEAD_SECONDS, self._head_is_late)
        if len(self.connections) > self.MOST:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the timers."""
        self._within(0, None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What is sent, as far as it is still wanted."""
        if self._discards is not None:
            self._discards -= len(data)
            if self._discards < 0:
                self.transport.abort()
            return
        if self.in_head and self._timer is None:
            self._within(self.HEAD_SECONDS, self._head_is_late)
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > HEAD_BYTES and self._discards is None:
            self._refuse(HeadersTooLarge())

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._watch_reading()

    def _watch_reading(self, unread: float = float("inf")) -> None:
        """Ends the connection when nothing has been read of what lay there, so many bytes, the last time that we
        looked."""
        size = self.transport.get_write_buffer_size()
        if size < unread:
            self._stalled = self.loop.call_later(self.STALLED_SECONDS, self._watch_reading, size)
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        """It has read everything."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    # ---- The parser's calls ----

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._headers = self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._head_bytes += len(url)
        super().on_url(url)
        if len(self.url) > ADDRESS_BYTES:
            self._fault = AddressTooLong()
            raise self._fault

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or, after the body, a trailer: nobody here asks for any, and the request under way must not
        change."""
        self._headers += 1
        self._head_bytes += len(name) + len(value) + len(b": \r\n")
        if self._headers > HEADERS or self._head_bytes > HEAD_BYTES:
            self._fault = HeadersTooLarge()
            raise self._fault
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.in_head = False
        self._idle_bytes = 0
        self.since = self.loop.time()
        self._within(0, None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; the next one may begin."""
        self.in_head = True
        self._idle_bytes = 0
        self.since = self.loop.time()
        self._within(0, None)
        super().on_message_complete()
        if self.cycle.response_complete:
            self._within(self.HEAD_SECONDS, self._head_is_late)

    # ---- Answers ----

    def on_response_complete(self) -> None:
        """An answer that came before the whole request ends the connection soon, if the rest does not come."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.in_head:
            self._unset_keepalive_if_required()
            self._within(self.LINGER_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's word for what its parser cannot read."""
        self._refuse(self._fault or Malformed("This is not HTTP/1.1."))

    def _head_is_late(self) -> None:
        if self._idle_bytes:
            self._refuse(TooSlow())
        else:
            self.transport.close()

    def _refuse(self, error: FollowUpError) -> None:
        """Answers for the application and ends the connection; not in the middle of another answer."""
        last = self._last
        if last is not None and not last.response_complete:
            self.transport.abort()
            return
        response = problems.answer({"method": "", "path": ""}, error)
        status = response.status_code
        log.info("connection.refused", status=status, problem=error.code)
        lines = [
            b"HTTP/1.1 %d Refused" % status,
            *(b": ".join(pair) for pair in response.raw_headers),
            b"connection: close",
            b"",
            bytes(response.body),
        ]
        self.transport.write(b"\r\n".join(lines))
        self._discards = 4 * HEAD_BYTES
        self._unset_keepalive_if_required()
        self._within(self.LINGER_SECONDS, self.transport.abort)

    # ---- Time and number ----

    def _within(self, seconds: float, act: Callable[[], None] | None) -> None:
        """Does `act` when the time is over, instead of what the timer stood for; None only ends it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, act) if act is not None else None

    def _make_room(self) -> None:
        """Ends the connection that has been waiting for its client the longest: for a head first, for the rest of a
        body only where none else is. Where all are being answered, the new one is refused."""
        waiting = [
            one for one in self.connections if isinstance(one, Connection) and one is not self and one.waits_for_client
        ]
        if waiting:
            min(waiting, key=lambda one: (not one.in_head, one.since)).transport.abort()
        else:
            self._refuse(Unavailable("Too many connections are open.", retry_after=1))

    @property
    def waits_for_client(self) -> bool:
        """Whether no request is whole: neither is one being answered."""
        last = self._last
        return last is None or last.response_complete or last.more_body

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The newest request whose head was whole, if there has been one."""
        return self.cycle
