"""What it means that something does not answer, for whoever is on duty: never an error's class."""

import asyncpg

from shared.runtime.logging import where

_OF_POSTGRESQL = {
    "57P03": "it is starting, wait",
    "57P01": "it is being stopped or was restarted, wait",
    "57P02": "it has crashed and begins anew, wait",
    "53300": "it has no connection left to give",
    "3D000": "there is no such database",
    "42501": "our role may not do that",
}
_OF_CLASS = {
    "08": "the connection was lost",
    "28": "it refuses our password",
    "40": "other work was in the way, wait",
    "53": "it lacks memory or disk",
    "57": "it ended our question",
}
_OF_SYSTEM: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "it hangs, or has too much to do"),
    (BlockingIOError, "it takes no new connection: it hangs, or has too many"),
    (PermissionError, "we may not reach it"),
    (ConnectionRefusedError, "nothing listens there"),
    (FileNotFoundError, "nothing listens there"),
    (OSError, "it cannot be reached"),
    (asyncpg.InterfaceError, "the connection was lost"),
)


def meaning(error: BaseException) -> str:
    """The end of a sentence, without a full stop."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        known = _OF_POSTGRESQL.get(state) or _OF_CLASS.get(state[:2])
        if known:
            return known
    for kind, says in _OF_SYSTEM:
        if isinstance(error, kind):
            return says
    return f"nobody foresaw why, call engineering ({where(error)})"
