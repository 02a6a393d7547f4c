"""An attempt whose commit is in doubt is made again; any other failure is not."""

import pytest

from services.intake import retrying
from services.intake.retrying import until_known


class Attempt:
    """Fails with each of `errors`, one after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0

    async def __call__(self) -> int:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_PAUSES", (0.0, 0.0))


async def test_a_lost_database_is_asked_again() -> None:
    assert await until_known(Attempt(ConnectionResetError(), TimeoutError())) == 3


async def test_a_database_that_stays_away_is_given_up_after_three_attempts() -> None:
    attempt = Attempt(*[ConnectionRefusedError()] * 9)
    with pytest.raises(ConnectionRefusedError):
        await until_known(attempt)
    assert attempt.made == 3


async def test_an_error_of_ours_is_not_repeated() -> None:
    attempt = Attempt(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011
        await until_known(attempt)
    assert attempt.made == 1
