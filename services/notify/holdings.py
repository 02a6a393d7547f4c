"""Where notify's data keys lie, wrapped by its KEK."""

from dataclasses import dataclass

from sqlalchemy import text

from services.notify import models
from services.notify.delivery.webhook_secrets import kek_of, rewrapped
from services.notify.directory import tables as directory_tables
from services.notify.oncall import pager_secrets, roster_store, tables
from shared.runtime.db import Session
from shared.runtime.rewrapping import AGAIN, KeyTable
from shared.runtime.sealing import Sealer

_AGENCIES = directory_tables.agencies.fullname


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """Each agency's `whsec_`, with the key that seals it before it, in an array of one or two."""

    name: str = f"{_AGENCIES}.webhook_secrets"
    then: str = AGAIN

    async def behind(self, session: Session, current: int) -> int:
        rows = await session.execute(text(f"SELECT webhook_secrets {_WITH_ONE}"))
        return sum(kek_of(each) != current for row in rows for each in row.webhook_secrets)

    async def renew(self, session: Session, sealer: Sealer) -> int:
        """All of them at once: there are a few hundred agencies."""
        rows = await session.execute(
            text(f"SELECT agency_id, webhook_secrets {_WITH_ONE} FOR UPDATE")
        )
        behind = [row for row in rows if any(_is_old(e, sealer) for e in row.webhook_secrets)]
        for row in behind:
            renewed = [rewrapped(sealer, each) for each in row.webhook_secrets]
            await session.execute(_SET, {"agency_id": row.agency_id, "secrets": renewed})
        return sum(_is_old(each, sealer) for row in behind for each in row.webhook_secrets)


_WITH_ONE = f"FROM {_AGENCIES} WHERE webhook_secrets <> '{{}}'"
_SET = text(
    f"UPDATE {_AGENCIES} SET webhook_secrets = CAST(:secrets AS bytea[]) "
    "WHERE agency_id = :agency_id"
)


def _is_old(stored: bytes, sealer: Sealer) -> bool:
    return kek_of(stored) != sealer.current


@dataclass(frozen=True, slots=True)
class Pagers:
    """The URLs of the roster in force. A roster is append-only: its next version renews them."""

    name: str = f"{tables.rosters.fullname}, pagers"
    then: str = "Have the roster's file approved again (docs/oncall.md): that seals them anew."

    async def behind(self, session: Session, current: int) -> int:
        _, roster = await roster_store.newest(session)
        channels = () if roster is None else (c for some in roster.people.values() for c in some)
        sealed = [each.to for each in channels if pager_secrets.is_sealed(each.to)]
        return sum(kek_of(pager_secrets.stored(each)) != current for each in sealed)

    async def renew(self, session: Session, sealer: Sealer) -> int:
        return 0


HOLDINGS = (KeyTable(models.child_keys.fullname, "child_id"), WebhookSecrets(), Pagers())
