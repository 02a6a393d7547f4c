"""The newest checkpoint, every hour, where people can keep it: the log, a file, and by mail.

A line of a log that is shipped elsewhere, or a file on another machine, is a witness of its own:
whoever has one finds out later whether anything before it was changed.
"""

import asyncio
from pathlib import Path

import aiosmtplib
import structlog

from services.audit import cosignature_store, store
from services.audit.mailing import Letterbox
from services.audit.note import encode_base64, parse_checkpoint, parse_note
from services.audit.store import StoredCheckpoint
from shared.runtime.db import Database
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

HOUR = 3600.0


class Printing:
    """Prints at the start and then every hour, if the log has grown."""

    def __init__(
        self,
        db: Database,
        path: Path | None,
        letterbox: Letterbox | None = None,
        every: float = HOUR,
    ) -> None:
        self._db = db
        self._path = path
        self._letterbox = letterbox
        self._every = every
        self._printed = ""

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.print_once()
            await sleep_unless(stop, self._every)

    async def print_once(self) -> bool:
        """Whether there was something new to print."""
        async with self._db.transaction() as session:
            newest = await store.latest_checkpoint(session)
            if newest is None or newest.note == self._printed:
                return False
            self._printed = newest.note
            newest = await cosignature_store.with_lines(session, newest)
        self._say(newest)
        if self._path is not None:
            self._append(self._path, newest)
        if self._letterbox is not None:
            await self._mail(self._letterbox, newest)
        return True

    def _say(self, newest: StoredCheckpoint) -> None:
        """Field by field, for a line of the log takes no line breaks: text and signature of the
        note are these, in this order."""
        note = parse_note(newest.note.encode())
        checkpoint = parse_checkpoint(note.text)
        first = note.signatures[0]
        log.info(
            "audit_checkpoint",
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=encode_base64(checkpoint.root),
            signature=encode_base64(first.key_id + first.signature),
        )

    def _append(self, path: Path, newest: StoredCheckpoint) -> None:
        """Below what is there, with the hour above it. A full disk stops no sequencer."""
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{newest.signed_at:%Y-%m-%d %H:%M:%S} UTC\n{newest.note}\n")
        except OSError as error:
            log.error("audit_checkpoint_not_printed", error=error)

    async def _mail(self, letterbox: Letterbox, newest: StoredCheckpoint) -> None:
        """The next hour has a newer one: what did not arrive is not sent again."""
        try:
            await letterbox.post(newest.note, f"{newest.signed_at:%Y-%m-%d %H:%M:%S} UTC")
        except (OSError, aiosmtplib.SMTPException) as error:
            log.error("audit_checkpoint_not_mailed", error=error)
