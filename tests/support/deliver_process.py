"""The deliver role as a process of its own, to be killed: DSN, key directory, seconds a try."""

import asyncio
import sys
from functools import partial
from pathlib import Path

from services.notify import models
from services.notify.delivery.deliver import Limits, deliver_role
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.sender import AiohttpSender
from services.notify.delivery.signing import Signer
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.lifecycle import run_roles
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.wakes import Wakes


async def main(dsn: str, keys: Path, deadline: float) -> None:
    db = Database.open(dsn, Wakes(), name="test-deliver-process")
    role = deliver_role(
        db,
        dsn,
        Outbox(models.OUTBOX, Source.NOTIFY),
        Postroom(Sealer(Keyring.load(keys)), Signer.load(keys)),
        partial(AiohttpSender, allow_http=True),
        Limits(deadline=deadline),
    )
    await run_roles({"deliver": role})
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
