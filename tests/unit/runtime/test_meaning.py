"""Whoever is on duty reads what it means, and no name of a class."""

from pathlib import Path

import asyncpg
import httpx
import pytest

from deploy.operations.asking import silence
from deploy.operations.places import read_env
from shared.runtime.errors import Misconfigured
from shared.runtime.meaning import meaning
from shared.runtime.ops import Readiness


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (asyncpg.CannotConnectNowError("x"), "it is starting, wait"),
        (asyncpg.AdminShutdownError("x"), "it is being stopped or was restarted, wait"),
        (asyncpg.TooManyConnectionsError("x"), "it has no connection left to give"),
        (asyncpg.InvalidPasswordError("x"), "it refuses our password"),
        (asyncpg.ConnectionDoesNotExistError("x"), "the connection was lost"),
        (asyncpg.InterfaceError("x"), "the connection was lost"),
        (BlockingIOError(11, "x"), "it takes no new connection: it hangs, or has too many"),
        (ConnectionRefusedError(), "nothing listens there"),
        (TimeoutError(), "it hangs, or has too much to do"),
        (OSError(), "it cannot be reached"),
        (KeyError("a child"), "nobody foresaw why, call engineering (outside)"),
    ],
)
def test_what_does_not_answer_is_told_by_what_it_means(error: Exception, says: str) -> None:
    assert meaning(error) == says


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx.ConnectError("x"), "nothing listens there"),
        (httpx.ReadTimeout("x"), "it is there, and says nothing in time"),
        (httpx.ConnectTimeout("x"), "it is there, and says nothing in time"),
        (httpx.ReadError("x"), "the connection broke off"),
        (httpx.RemoteProtocolError("x"), "the connection broke off"),
    ],
)
def test_so_is_a_service(error: httpx.HTTPError, says: str) -> None:
    assert silence(error) == says


async def test_a_readiness_that_fails_is_told_by_what_it_means() -> None:
    async def starting() -> str | None:
        raise asyncpg.CannotConnectNowError("the database system is starting up")

    problems = await Readiness(directory=starting).problems()
    assert problems == {"directory": "does not answer: it is starting, wait"}


def test_a_settings_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    folder = tmp_path
    (folder / "no-text.env").write_bytes(b"\xff\xfe=1")
    with pytest.raises(Misconfigured, match=r"no-text\.env cannot be read: it is no UTF-8 text\.$"):
        read_env(folder / "no-text.env")
    with pytest.raises(Misconfigured, match=r"cannot be read: is a directory\.$"):
        read_env(folder)
