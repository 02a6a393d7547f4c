"""Pages by e-mail: one fixed subject, and a line per task."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.notify.oncall.pager import SECONDS, Alarm, PagerFailed, sentence
from shared.runtime import keys
from shared.runtime.errors import Misconfigured

SUBJECT = "Hartline: somebody must look"
_MOST = 50


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. STARTTLS is insisted on, but for `smtp+clear`, which is for a
    server on this machine."""

    host: str
    port: int
    tls: bool
    starttls: bool
    username: str | None

    @classmethod
    def parse(cls, url: str) -> "MailServer":
        """`smtp://[user@]host[:587]`, `smtps://…[:465]` or `smtp+clear://localhost:port`.

        Raises Misconfigured.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        ports = {"smtp": 587, "smtps": 465, "smtp+clear": 25}
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme not in ports or not parts.hostname or parts.password is not None:
            raise Misconfigured(
                "HARTLINE_NOTIFY_PAGER_SMTP must be smtp://[user@]host[:port] or smtps://…, "
                "without a password: that lies in HARTLINE_NOTIFY_PAGER_SMTP_PASSWORD_FILE."
            )
        if parts.scheme == "smtp+clear" and not local:
            raise Misconfigured("HARTLINE_NOTIFY_PAGER_SMTP: smtp+clear is for this machine only.")
        return cls(
            parts.hostname,
            port or ports[parts.scheme],
            tls=parts.scheme == "smtps",
            starttls=parts.scheme == "smtp",
            username=unquote(parts.username) if parts.username else None,
        )


@dataclass(frozen=True, slots=True)
class EmailPager:
    server: MailServer
    sender: str
    password_file: Path | None = None

    async def page(self, to: str, alarms: Sequence[Alarm], now: datetime) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await self._send(_message(self.sender, to, alarms, now))
        except (aiosmtplib.SMTPException, OSError, ValueError, Misconfigured) as error:
            raise PagerFailed(type(error).__name__) from None

    async def _send(self, message: EmailMessage) -> None:
        password = None
        if self.password_file is not None:
            password = keys.read_private(self.password_file).strip()
        await aiosmtplib.send(
            message,
            hostname=self.server.host,
            port=self.server.port,
            use_tls=self.server.tls,
            start_tls=self.server.starttls,
            username=self.server.username,
            password=password,
            timeout=SECONDS,
        )


def _message(sender: str, to: str, alarms: Sequence[Alarm], now: datetime) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, SUBJECT
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    lines = [f"{sentence(each, now)}\n{each.link}\n" for each in alarms[:_MOST]]
    if alarms[_MOST:]:
        lines.append(f"And {len(alarms) - _MOST} more.\n")
    message.set_content("\n".join([*lines, "The next person is paged until one acknowledges."]))
    return message
