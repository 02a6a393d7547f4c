"""The mail relay: where a message is handed in, by STARTTLS or not at all."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from shared.runtime import keys
from shared.runtime.errors import Misconfigured

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
    def parse(
        cls, setting: str, url: str, sender: str | None, password: Path | None, ca: Path | None
    ) -> "Relay":
        """`smtp://[user@]host[:587]`, as `setting` says it. Raises Misconfigured."""
        if sender is None:
            raise Misconfigured(f"{setting} needs {setting}_FROM.")
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
        except ValueError:
            parts, port = urlsplit(""), _PORT
        if parts.scheme != "smtp" or not parts.hostname or parts.password is not None:
            raise Misconfigured(
                f"{setting} must be smtp://[user@]host[:port], without a password: that lies in "
                f"{setting}_PASSWORD_FILE. STARTTLS is always asked for."
            )
        if (parts.username is None) != (password is None):
            raise Misconfigured(
                f"{setting} names a user exactly where {setting}_PASSWORD_FILE is set."
            )
        username = unquote(parts.username) if parts.username else None
        return cls(parts.hostname, port, sender, username, password, ca)

    def client(self) -> aiosmtplib.SMTP:
        """Not yet connected; without a certificate that verifies, not a byte is written."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            start_tls=True,
            tls_context=ssl.create_default_context(cafile=self.ca),
            timeout=None,
        )

    async def sign_in(self, client: aiosmtplib.SMTP) -> None:
        """Connect, and log in where there is a user. Raises what aiosmtplib raises."""
        await client.connect()
        if self.username is not None and self.password is not None:
            await client.login(self.username, keys.read_private(self.password).strip())

    def message(self, to: str, subject: str, text: str) -> bytes:
        """As it is handed in."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message.as_bytes(policy=SMTP)
