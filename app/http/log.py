"""Log lines: one JSON object an event, fields from an allow-list, exceptions as types and places. No message, no value
of a person."""

import asyncio
import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

# What a line may carry; anything else is left out, and its name (never its value) stands under `left_out`.
FIELDS = frozenset(
    {
        # a request
        *("request_id", "method", "route", "status", "took_ms", "actor", "actor_id", "role", "unit", "problem"),
        # the worker, the feed, imports, commands
        *(
            "today",
            "raised",
            "swept",
            "batch",
            "rows",
            "accepted",
            "unchanged",
            "rejected",
            "seconds",
            "job",
            "minutes",
            "attempt",
            "seq",
        ),
        *(
            "act",
            "object_id",
            "patient_id",
            "visit_id",
            "alert_id",
            "infusion_id",
            "import_id",
            "token_id",
            "centre",
            "protocol",
            "version",
        ),
        # the house
        *(
            "kind",
            "sqlstate",
            "host",
            "port",
            "database",
            "dialect",
            "demo",
            "epoch",
            "last_at",
            "logger",
            "place",
            "count",
            "name",
            "from_version",
        ),
    }
)
_EVENT = re.compile(r"[a-z][a-z_.]*")
_QUIET = ("sqlalchemy", "aiosqlite", "httpx", "httpcore", "apscheduler", "alembic", "asyncio", "psycopg")
EventDict = MutableMapping[str, Any]


def configure(level: str = "info") -> None:
    """Makes this process's only way to log. `level`: debug, info, warning or error; libraries speak from warning on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", key="at"),
            _only_allowed,
            _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Out,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_StandardError())
    handler.setFormatter(_Formatter())
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(True)


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Lets the running loop tell of lost exceptions by type and place; asyncio's own words print the reprs of tasks."""
    loop.set_exception_handler(_on_loop_fault)


def _on_loop_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    fault = context.get("exception")
    log = structlog.get_logger("loop")
    log.error("loop.fault", exc_info=fault) if fault else log.error("loop.fault")


def places(error: BaseException) -> list[str]:
    """An exception and its causes, outermost first: `Type at file:line` of the two innermost frames. Never a
    message."""
    return list(_places(error))


def _places(error: BaseException | None) -> Iterator[str]:
    for _ in range(8):
        if error is None:
            return
        frames, trace = [], error.__traceback__
        while trace is not None:
            frames.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}")
            trace = trace.tb_next
        yield f"{type(error).__name__} at {' < '.join(reversed(frames[-6:]))}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class _StandardError:
    """Standard error as it is at the moment of writing."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _Out:
    """The end of structlog's chain: one line to standard error."""

    def __init__(self, *names: str) -> None:
        self.name = names[0] if names else ""

    def msg(self, line: str) -> None:
        sys.stderr.write(line)
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def _only_allowed(logger: Any, method: str, event: EventDict) -> EventDict:
    name = event.pop("event", "")
    line = {
        "at": event.pop("at", None),
        "level": event.pop("level", method),
        "event": name if _EVENT.fullmatch(str(name)) else "log.refused",
    }
    fault = event.pop("exc_info", None)
    if fault:
        fault = fault if isinstance(fault, BaseException) else sys.exc_info()[1]
        if fault is not None:
            line["error"] = places(fault)
    line |= {key: value for key, value in event.items() if key in FIELDS}
    if left_out := [key for key in event if key not in FIELDS and _EVENT.fullmatch(key)]:
        line["left_out"] = left_out
    return line


def _as_json(logger: Any, method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE).decode()


class _Formatter(logging.Formatter):
    """For libraries: where a line comes from and the exception's types; the text itself only of the server's own start
    and stop."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": f"{datetime.fromtimestamp(record.created, UTC).isoformat()[:-6]}Z",
            "level": record.levelname.lower(),
            "event": "library",
            "logger": record.name,
            "place": f"{record.module}:{record.lineno}",
        }
        if record.name == "uvicorn.error" and record.levelno == logging.INFO:
            line["text"] = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = places(record.exc_info[1])
        return orjson.dumps(line).decode()
