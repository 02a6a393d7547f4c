"""The deliver role as a process of its own, to be killed: DSN, key directory, seconds a try."""

import asyncio
from functools import partial
from pathlib import Path

from services.notify import models
from services.notify.delivery.deliver import Limits, deliver_role
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.sender import HttpSender
from services.notify.delivery.signing import Signer
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.lifecycle import run_roles
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.wakes import Wakes


def main(arguments: list[str]) -> int:
    dsn, keys, deadline = arguments
    asyncio.run(_main(dsn, Path(keys), float(deadline)))
    return 0


async def _main(dsn: str, keys: Path, deadline: float) -> None:
    db = Database.open(dsn, Wakes(), name="test-deliver-process")
    role = deliver_role(
        db,
        dsn,
        Outbox(models.OUTBOX, Source.NOTIFY),
        Postroom(Sealer(Keyring.load(keys)), Signer.load(keys)),
        partial(HttpSender, allow_http=True),
        Limits(deadline=deadline),
    )
    await run_roles({"deliver": role})
    await db.close()
