"""A person's decision, recorded in the log in the transaction that makes it so."""

import secrets
from datetime import datetime

from services.audit import store
from services.audit.leaf import SALT_BYTES, Decided, decision_submission
from shared.runtime.db import Session
from shared.runtime.ids import new_event_id


async def decide(
    session: Session, by: str, decided: Decided, about: str, child_id: str, now: datetime
) -> None:
    """`about` is the id of what was decided on; why lies in its own table (P5)."""
    salt = secrets.token_bytes(SALT_BYTES)
    made = decision_submission(new_event_id(), by, decided, about, child_id, now, salt)
    await store.submit(session, [made])
