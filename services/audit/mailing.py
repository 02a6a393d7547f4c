"""Checkpoints by mail, to people who keep them: each is a witness of its own.

A checkpoint holds no personal data. It is handed in to whoever reads mail elsewhere, because what
lies only where the database's administrators can write proves nothing against them.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import aiosmtplib

from shared.runtime.mail import Relay

_SUBJECT = "Hartline: a checkpoint of the audit log to keep"
_WITHIN = 30.0
_TEXT = """\
Keep this message. Years from now it shows whether anything that the audit log held at this hour
was changed since: docs/audit.md, "Verifying it", takes the text between the lines as NOTE.

{signed_at}
----------------------------------------------------------------
{note}----------------------------------------------------------------
"""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A relay, and those who keep checkpoints."""

    relay: Relay
    keepers: tuple[str, ...]

    async def post(self, note: str, signed_at: str) -> None:
        """A message to each keeper. Raises OSError or SMTPException, after trying all."""
        text = _TEXT.format(note=note, signed_at=signed_at)
        failures = []
        for keeper in self.keepers:
            try:
                async with asyncio.timeout(_WITHIN):
                    await self._hand_in(keeper, text)
            except (OSError, aiosmtplib.SMTPException) as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _hand_in(self, keeper: str, text: str) -> None:
        client = self.relay.client()
        try:
            await self.relay.sign_in(client)
            await client.mail(self.relay.sender)
            await client.rcpt(keeper)
            await client.data(self.relay.message(keeper, _SUBJECT, text))
            with suppress(aiosmtplib.SMTPException):
                await client.quit()
        finally:
            client.close()
