import ast
import io
import json
import logging as stdlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from prometheus_client import REGISTRY

from shared.runtime import logging
from shared.runtime.log_events import EVENTS

ROOT = Path(__file__).parents[3]
LEVELS = ("debug", "info", "warning", "error", "critical")


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator["Lines"]:
    """Logging as a service configures it, put back afterwards."""
    root, hook = stdlib.getLogger(), sys.excepthook
    before = (root.handlers, root.level)
    logging.configure("intake", "INFO")
    yield Lines(capsys)
    structlog.reset_defaults()
    stdlib.captureWarnings(False)
    root.handlers, root.level = before
    sys.excepthook = hook


class Lines:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def read(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._capsys.readouterr().err.splitlines()]


def dropped(kind: str) -> float:
    return REGISTRY.get_sample_value("hartline_log_dropped_total", {"kind": kind}) or 0


def test_an_event_is_one_json_line_with_time_level_and_service(lines: Lines) -> None:
    structlog.get_logger().info("http_request", method="GET", route="/livez", status="200", ms=1.5)
    [line] = lines.read()
    assert str(line.pop("time")).endswith("Z")
    expected = {"event": "http_request", "level": "info", "service": "intake"}
    assert line == expected | {"method": "GET", "route": "/livez", "status": "200", "ms": 1.5}


def test_what_is_not_on_the_list_is_left_out_and_counted(lines: Lines) -> None:
    """P5"""
    events, fields = dropped("event"), dropped("field")
    log = structlog.get_logger()
    log.info("Test Child One is missing")
    log.info("role_failed", role="api", name="Test Child One")
    assert [set(line) for line in lines.read()] == [{"event", "role", "level", "time", "service"}]
    assert (dropped("event"), dropped("field")) == (events + 1, fields + 1)


def test_an_error_is_logged_as_its_class_and_place_never_its_text(lines: Lines) -> None:
    """P5"""
    try:
        raise ValueError("Test Child One")
    except ValueError as error:
        structlog.get_logger().error("role_failed", role="api", error=error, exc_info=True)
        where = logging.where(error)
    [line] = lines.read()
    assert line["error"] == "ValueError"
    assert "Child" not in json.dumps(line)
    assert where.startswith("tests/unit/runtime/test_runtime_logging.py:")


def test_values_are_plain_and_short(lines: Lines) -> None:
    structlog.get_logger().info("started", roles=["api", Lines])
    structlog.get_logger().info("role_failed", role="x" * 1000, error={"name": "Test Child One"})
    first, second = lines.read()
    assert first["roles"] == ["api", "type"]
    assert len(str(second["role"])) == 200
    assert second["error"] == "dict"


def test_libraries_are_heard_without_their_words(lines: Lines) -> None:
    """P5"""
    stdlib.getLogger("asyncio").error("Test Child %s", "One")
    stdlib.getLogger("uvicorn.error").info("not heard")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("Test Child One", stacklevel=1)
    try:
        raise ValueError("Test Child One")
    except ValueError:
        stdlib.getLogger("uvicorn.error").exception("Test Child One")
    read = lines.read()
    assert [line["logger"] for line in read] == ["asyncio", "py.warnings", "uvicorn.error"]
    assert read[-1]["error"] == "ValueError"
    assert "Child" not in json.dumps(read)


def test_a_crash_is_one_line_without_its_text(lines: Lines) -> None:
    """P5"""
    error = ValueError("Test Child One")
    sys.excepthook(ValueError, error, None)
    [line] = lines.read()
    assert (line["event"], line["error"], line["where"]) == ("crashed", "ValueError", "outside")


def test_a_line_that_cannot_be_written_disturbs_nobody(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (BrokenPipeError, ValueError):
        monkeypatch.setattr(sys, "stderr", Broken(error))
        structlog.get_logger().info("started", roles=[])


class Broken(io.StringIO):
    def __init__(self, error: type[Exception]) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


def test_a_quieter_level_is_kept(lines: Lines) -> None:
    logging.configure("intake", "warning")
    structlog.get_logger().info("started", roles=[])
    structlog.get_logger().warning("role_not_drained", role="api")
    assert [line["event"] for line in lines.read()] == ["role_not_drained"]


CALLS = [
    (f"{path.relative_to(ROOT)}:{call.lineno}", call)
    for top in ("services", "shared")
    for path in sorted((ROOT / top).rglob("*.py"))
    for call in ast.walk(ast.parse(path.read_text()))
    if isinstance(call, ast.Call)
    and isinstance(call.func, ast.Attribute)
    and isinstance(call.func.value, ast.Name)
    and call.func.value.id == "log"
    and call.func.attr in (*LEVELS, "log")
]


@pytest.mark.parametrize(("place", "call"), CALLS, ids=[place for place, _ in CALLS])
def test_every_event_in_the_code_is_on_the_list_with_its_fields(place: str, call: ast.Call) -> None:
    assert isinstance(call.func, ast.Attribute)
    event = call.args[1 if call.func.attr == "log" else 0]
    assert isinstance(event, ast.Constant), "an event's name is a constant"
    assert event.value in EVENTS, "shared/runtime/log_events.py"
    fields = {word.arg for word in call.keywords if word.arg is not None}
    assert fields <= EVENTS[event.value] | {"service"}


def test_the_list_names_no_event_that_nobody_logs() -> None:
    logged = {arg.value for _, call in CALLS for arg in call.args if isinstance(arg, ast.Constant)}
    assert set(EVENTS) <= logged


def test_p5_what_the_database_refused_is_logged_by_its_class_and_never_with_its_arguments(
    lines: Lines,
) -> None:
    for kind in (asyncpg.DataError, asyncpg.InterfaceError):
        error = kind("invalid input for query argument $1: 'Test Child One'")
        structlog.get_logger().error("role_failed", role="api", error=error)
        try:
            raise error
        except kind:
            stdlib.getLogger("uvicorn.error").exception("Test Child One: %s", error)
    read = lines.read()
    assert [line["error"] for line in read] == ["DataError"] * 2 + ["InterfaceError"] * 2
    assert "Test Child" not in json.dumps(read)
