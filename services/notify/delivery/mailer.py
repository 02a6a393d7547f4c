"""Handing pointers in at a mail relay, and saying truly what became of each.

STARTTLS or nothing: without it, or with a certificate that does not verify, not a byte of a
message is written. The relay is ours to choose, so it needs no guard against egress.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiosmtplib

from services.notify.delivery import pointers
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.sender import Letter, Sender
from shared.runtime.mail import Relay

MAILTO = "mailto:"


@dataclass(slots=True)
class SmtpSender:
    """A Sender of letters to `mailto:` addresses. One connection for each: pointers are few."""

    relay: Relay | None
    _under_way: set[asyncio.Timeout] = field(default_factory=set, init=False)

    async def post(self, letter: Letter) -> Outcome:
        if self.relay is None:
            return NotSent(Obstacle.NO_MAIL)
        trip = _Trip(self.relay, letter)
        limit = asyncio.timeout_at(letter.deadline)
        self._under_way.add(limit)
        try:
            async with limit:
                await trip.make()
        except Exception:  # noqa: S110 - whatever it was, the trip knows how far it came
            pass
        finally:
            self._under_way.discard(limit)
        return trip.outcome()

    def break_off(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(now)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


@dataclass(slots=True)
class _Trip:
    """One message on its way, and how far it has come."""

    relay: Relay
    letter: Letter
    writing: bool = False
    answer: int | None = None

    async def make(self) -> None:
        client = self.relay.client()
        try:
            await self.relay.sign_in(client)
            await self._hand_in(client)
        except aiosmtplib.SMTPResponseException as error:
            self.answer = error.code
        finally:
            client.close()

    async def _hand_in(self, client: aiosmtplib.SMTP) -> None:
        to = self.letter.url.removeprefix(MAILTO)
        await client.mail(self.relay.sender)
        await client.rcpt(to)
        self.writing = True
        message = self.relay.message(to, pointers.SUBJECT, self.letter.body.decode("ascii"))
        answer = await client.data(message)
        self.answer = answer.code
        with suppress(Exception):
            await client.quit()

    def outcome(self) -> Outcome:
        if self.answer is not None:
            return Answered(self.answer)
        return Unknown() if self.writing else NotSent(Obstacle.UNREACHABLE)


@dataclass(slots=True)
class Senders:
    """One Sender made of two: letters to `mailto:` go by mail, the others over the web."""

    web: Sender
    mail: SmtpSender

    async def post(self, letter: Letter) -> Outcome:
        if letter.url.startswith(MAILTO):
            return await self.mail.post(letter)
        return await self.web.post(letter)

    def break_off(self) -> None:
        self.web.break_off()
        self.mail.break_off()

    async def __aenter__(self) -> Self:
        await self.web.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.web.__aexit__(kind, error, trace)
