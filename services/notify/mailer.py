"""Handing pointers in at a mail relay, and saying truly what became of each.

STARTTLS or nothing: without it, or with a certificate that does not verify, not a byte of a
message is written. The relay is ours to choose, so it needs no guard against egress.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.notify import pointers
from services.notify.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.sender import Letter, Sender
from shared.runtime import keys
from shared.runtime.errors import Misconfigured

MAILTO = "mailto:"
_PORT = 587


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed in, and as whom. `password` is read anew for each connection."""

    host: str
    port: int
    sender: str
    username: str | None = None
    password: Path | None = None
    ca: Path | None = None

    @classmethod
    def parse(cls, url: str, sender: str, password: Path | None, ca: Path | None) -> "Relay":
        """`smtp://[user@]host[:587]`. Raises Misconfigured."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
        except ValueError:
            parts, port = urlsplit(""), _PORT
        if parts.scheme != "smtp" or not parts.hostname or parts.password is not None:
            raise Misconfigured(
                "HARTLINE_NOTIFY_MAIL must be smtp://[user@]host[:port], without a password: that "
                "lies in HARTLINE_NOTIFY_MAIL_PASSWORD_FILE. STARTTLS is always asked for."
            )
        if (parts.username is None) != (password is None):
            raise Misconfigured(
                "HARTLINE_NOTIFY_MAIL names a user exactly where "
                "HARTLINE_NOTIFY_MAIL_PASSWORD_FILE is set."
            )
        username = unquote(parts.username) if parts.username else None
        return cls(parts.hostname, port, sender, username, password, ca)


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
        client = aiosmtplib.SMTP(
            hostname=self.relay.host,
            port=self.relay.port,
            start_tls=True,
            tls_context=ssl.create_default_context(cafile=self.relay.ca),
            timeout=None,
        )
        try:
            await client.connect()
            await self._sign_in(client)
            await self._hand_in(client)
        except aiosmtplib.SMTPResponseException as error:
            self.answer = error.code
        finally:
            client.close()

    async def _sign_in(self, client: aiosmtplib.SMTP) -> None:
        if self.relay.username is not None and self.relay.password is not None:
            password = keys.read_private(self.relay.password).strip()
            await client.login(self.relay.username, password)

    async def _hand_in(self, client: aiosmtplib.SMTP) -> None:
        to = self.letter.url.removeprefix(MAILTO)
        await client.mail(self.relay.sender)
        await client.rcpt(to)
        self.writing = True
        answer = await client.data(_message(self.relay.sender, to, self.letter.body))
        self.answer = answer.code
        with suppress(Exception):
            await client.quit()

    def outcome(self) -> Outcome:
        if self.answer is not None:
            return Answered(self.answer)
        return Unknown() if self.writing else NotSent(Obstacle.UNREACHABLE)


def _message(sender: str, to: str, body: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, pointers.SUBJECT
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body.decode("ascii"))
    return message.as_bytes(policy=SMTP)


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
