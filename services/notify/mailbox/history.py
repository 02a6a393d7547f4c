"""The versions that a recipient has, and what changed from one to the next: names of fields."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.forms.changes import changes
from services.notify.mailbox.shelf import Item
from services.notify.planning.copies import open_copy
from shared.runtime.db import Session
from shared.runtime.sealing import Sealer, WrappedKey

Copies = Mapping[str, Mapping[str, Any]]

_COPIES = text(
    "SELECT n.notice_id, c.child_id, c.version, c.profile, c.sealed, k.kek_version, k.wrapped "
    f"FROM {models.notices.fullname} n JOIN {models.copies.fullname} c "
    "ON c.child_id = n.child_id AND c.version = n.version AND c.profile = n.profile "
    f"JOIN {models.child_keys.fullname} k ON k.child_id = n.child_id "
    "WHERE n.notice_id = ANY(CAST(:ids AS text[]))"
)


async def changes_of(
    session: Session, sealer: Sealer, items: Sequence[Item]
) -> dict[str, list[dict[str, str]]]:
    """By notice, against the version before it that has content. Only what was read has any.

    Raises Unsealable.
    """
    read = [each for each in items if each.held]
    copies = await _copies(session, sealer, read)
    whole = [each for each in read if each.notice_id in copies]
    return {
        after.notice_id: changes(copies[before.notice_id], copies[after.notice_id])
        for series in {each.series for each in whole}
        for before, after in pairwise([each for each in whole if each.series == series])
    }


async def _copies(session: Session, sealer: Sealer, items: Sequence[Item]) -> Copies:
    rows = await session.execute(_COPIES, {"ids": [each.notice_id for each in items]})
    return {
        row.notice_id: open_copy(
            sealer,
            WrappedKey(row.kek_version, row.wrapped),
            row.child_id,
            row.version,
            row.profile,
            row.sealed,
        )
        for row in rows
    }
