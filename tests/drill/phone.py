"""The Careline's phone system: it reports through its spool, before, in and after the outage."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_never

from hartline_careline import Careline, Kept, Patience, Reporting, SetAside, Spool, Waiting, new_key
from hartline_careline.answers import Referral

from tests.chaos.caller import CLOCK, Accepted, mark, told

_KEEP = timedelta(hours=24)
_IMPATIENT = Patience(attempt=3.0, total=3.0)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A 201, as the phone system got it. `at` is time.time()."""

    key: str
    referral: Referral
    at: float


class Phone:
    """One thread takes calls, another sends what the spool holds. `acknowledged` is in order; a
    key that was answered again stands there again."""

    def __init__(self, url: str, token: Callable[[], str], folder: Path, rate: float) -> None:
        """`rate`: calls per second."""
        self._careline = Careline(url, token, patience=_IMPATIENT)
        self.spool = Spool(folder, secrets.token_bytes(32), keep=_KEEP)
        self._reporting = Reporting(self._careline, self.spool)
        self._pause = 1 / rate
        self._bodies: dict[str, dict[str, Any]] = {}
        self._numbers: dict[str, int] = {}
        self.acknowledged: list[Acknowledged] = []
        self.refused: list[str] = []
        self._hung_up = threading.Event()
        self._gone = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._take_calls, self._send)]

    def __enter__(self) -> "Phone":
        return self

    def begin(self) -> None:
        """From now on calls come in."""
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._gone.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._careline.close()

    def hang_up(self) -> None:
        """No more calls come in. What waits is sent on."""
        self._hung_up.set()

    @property
    def calls(self) -> int:
        return len(self._bodies)

    def take_back(self, since: datetime) -> int:
        """The operators said that they restored a backup: how many are sent again."""
        return len(self.spool.take_back(since))

    def latest(self) -> list[Accepted]:
        """Every call, as Hartline answered for it last."""
        answers = {each.key: each.referral for each in list(self.acknowledged)}
        return [
            _accepted(answer, self._bodies[key], self._numbers[key])
            for key, answer in answers.items()
        ]

    def unanswered(self) -> list[str]:
        """Calls that Hartline has never acknowledged."""
        answered = {each.key for each in self.acknowledged}
        return [f"call {self._numbers[key]}" for key in self._bodies if key not in answered]

    def _take_calls(self) -> None:
        while not self._hung_up.wait(self._pause):
            number, key = len(self._bodies), new_key()
            body = told(number, datetime.now(UTC))
            self._numbers[key] = number
            self._bodies[key] = body
            self.spool.put(body, key)  # type: ignore[arg-type]

    def _send(self) -> None:
        while not self._gone.wait(0.05):
            for outcome in self._reporting.send():
                match outcome:
                    case Kept(key=key, referral=referral):
                        self.acknowledged.append(Acknowledged(key, referral, time.time()))
                    case SetAside(key=key, error=error):
                        self.refused.append(f"call {self._numbers[key]}: {error}")
                    case Waiting():
                        pass
                    case _:
                        assert_never(outcome)


def _accepted(answer: Referral, body: dict[str, Any], number: int) -> Accepted:
    children = body["children"]
    return Accepted(
        answer.referral_id,
        answer.number,
        list(answer.child_ids),
        [child["residence_town"] for child in children],
        [mark(number, place) for place in range(len(children))],
        datetime.fromisoformat(body["received_at"]) + CLOCK,
    )
