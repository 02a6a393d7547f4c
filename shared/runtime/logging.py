"""Logs: one JSON line per event on stderr, by an allow-list (`log_events`)."""

import json
import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from shared.runtime import metrics
from shared.runtime.log_events import EVENTS

log = structlog.get_logger()

_ROOT = Path(__file__).parents[2]
_ALWAYS = frozenset({"level", "time", "service"})
_LONGEST = 200
_JSON = json.JSONEncoder()


def configure(service: str, level: str = "INFO") -> None:
    """Send everything that this process logs through the allow-list, the libraries' lines too."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            allow_listed,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _name_service(service),
            _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Stderr,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Libraries()]
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _crashed


def allow_listed(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: drop what is not on the list, and count it."""
    allowed = EVENTS.get(event["event"])
    if allowed is None:
        metrics.LOG_DROPPED.labels("event").inc()
        raise structlog.DropEvent
    kept = {"event": event["event"]}
    for name, value in event.items():
        if name in allowed or name in _ALWAYS:
            kept[name] = _plain(value)
        elif name not in ("event", "service"):
            metrics.LOG_DROPPED.labels("field").inc()
    return kept


def where(error: BaseException) -> str:
    """`services/intake/store.py:42`: the innermost line of ours that an error passed. Not its
    text, which may hold what a person typed."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(_ROOT)}:{line}"
    return "outside"


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value][:_LONGEST]
    return type(value).__name__


def _as_json(_: Any, __: str, event: Mapping[str, Any]) -> str:
    """What `allow_listed` left is plain."""
    return _JSON.encode(event)


def _name_service(service: str) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        event["service"] = service
        return event

    return add


class _Stderr:
    """Where lines go. A line that cannot be written is lost; what it told of goes on."""

    def __init__(self, *_: object) -> None: ...

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    log = debug = info = warning = error = critical = msg


class _Libraries(logging.Handler):
    """What a library logs: who and what class of error, without the text."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        fields: dict[str, object] = {"logger": record.name}
        if error is not None:
            fields |= {"error": error, "where": where(error)}
        log.log(record.levelno, "library", **fields)


def _crashed(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("crashed", error=error, where=where(error))
