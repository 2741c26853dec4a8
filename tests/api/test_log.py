"""Log lines: fields from an allow-list, exceptions as types and places, libraries without their own words (recipes
3)."""

import asyncio
import logging
import warnings

import orjson
import pytest
import structlog

from app.http import log

SECRET = "19811228-9874"


pytestmark = pytest.mark.usefixtures("logged")


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]


def _fail() -> BaseException:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as inner:
            raise ValueError(SECRET) from inner
    except ValueError as outer:
        return outer


def test_only_fields_of_the_list_are_written(capsys: pytest.CaptureFixture[str]):
    structlog.get_logger().info("sweep.finished", raised=3, patient_name=SECRET)
    (line,) = _lines(capsys)
    assert {**line, "at": ""} == {
        "at": "",
        "level": "info",
        "event": "sweep.finished",
        "raised": 3,
        "left_out": ["patient_name"],
    }


@pytest.mark.parametrize("event", [SECRET, "Sweep finished", "sweep.finished 3", ""])
def test_an_event_is_a_name_and_no_sentence(capsys: pytest.CaptureFixture[str], event: str):
    structlog.get_logger().info(event, **{SECRET: 1})
    (line,) = _lines(capsys)
    assert line["event"] == "log.refused"
    assert SECRET not in str(line)


def test_an_exception_is_its_type_and_place(capsys: pytest.CaptureFixture[str]):
    structlog.get_logger().error("import.failed", exc_info=_fail())
    (line,) = _lines(capsys)
    assert SECRET not in str(line)
    kinds = [told.partition(" at ")[0] for told in line["error"]]  # type: ignore[attr-defined]
    assert kinds == ["ValueError", "KeyError"]


def test_a_library_says_where_and_not_what(capsys: pytest.CaptureFixture[str]):
    logging.getLogger("somebody").warning("patient %s", SECRET, exc_info=_fail())
    logging.getLogger("sqlalchemy.engine").info("INSERT %s", SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(SECRET, stacklevel=1)
    lines = _lines(capsys)
    assert [line["logger"] for line in lines] == ["somebody", "py.warnings"]
    assert SECRET not in str(lines)


async def test_what_a_task_lost_is_told_by_type(capsys: pytest.CaptureFixture[str]):
    loop = asyncio.get_running_loop()
    log.watch_loop(loop)
    loop.call_exception_handler({"message": SECRET, "exception": _fail(), "future": SECRET})
    loop.call_exception_handler({"message": SECRET})
    lines = _lines(capsys)
    assert [line["event"] for line in lines] == ["loop.fault", "loop.fault"]
    assert SECRET not in str(lines)


def test_a_lower_level_is_not_written(capsys: pytest.CaptureFixture[str]):
    structlog.get_logger().debug("sweep.finished")
    assert _lines(capsys) == []
