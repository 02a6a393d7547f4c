"""The sides that reconciliation compares: the log's own, and other services' over their API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, urlencode

from services.audit import reconciling_store
from shared.runtime.closed_windows import Listed, Page, read_known, read_page
from shared.runtime.db import Database
from shared.runtime.errors import Permanent
from shared.runtime.internal_http import InternalClient


class Side(Protocol):
    """One holder of ids."""

    async def page(self, start: datetime, end: datetime, after: str) -> Page: ...

    async def known(self, ids: list[str]) -> set[str]: ...


@dataclass(frozen=True)
class Pair:
    """Two sides that must hold the same ids, and the words for what each may lack."""

    left: Side
    right: Side
    right_lacks: str
    left_lacks: str


class OwnSide:
    """The log."""

    def __init__(self, db: Database, listed: Listed) -> None:
        self._db = db
        self._listed = listed

    async def page(self, start: datetime, end: datetime, after: str) -> Page:
        async with self._db.transaction() as session:
            return await read_page(session, self._listed, start, end, after)

    async def known(self, ids: list[str]) -> set[str]:
        async with self._db.transaction() as session:
            return await read_known(session, self._listed, ids)


class FarSide:
    """Another service, over its internal API. Raises Retryable or Permanent."""

    def __init__(self, client: InternalClient, kind: str) -> None:
        self._client = client
        self._path = f"/internal/v1/windows/{kind}"

    async def page(self, start: datetime, end: datetime, after: str) -> Page:
        asked = {"start": start.isoformat(), "end": end.isoformat(), "after": after}
        answer = await self._client.get(f"{self._path}?{urlencode(asked, quote_via=quote)}")
        return _page(answer)

    async def known(self, ids: list[str]) -> set[str]:
        return set(_page(await self._client.post(f"{self._path}/known", {"ids": ids})).ids)


def _page(answer: object) -> Page:
    try:
        return Page.model_validate(answer)
    except ValueError:
        raise Permanent("the answer is not in the form agreed") from None


def pairs(db: Database, intake: InternalClient, notify: InternalClient) -> tuple[Pair, ...]:
    """Everything that is compared."""
    own = {kind: OwnSide(db, listed) for kind, listed in reconciling_store.KINDS.items()}

    def own_of(client: InternalClient, kind: str, entered: str, word: str) -> Pair:
        lacks = f"{word}_without_entry", f"entry_without_{word}"
        return Pair(FarSide(client, kind), own[entered], *lacks)

    def far(client: InternalClient, kind: str) -> FarSide:
        return FarSide(client, kind)

    return (
        own_of(notify, "attempts", "attempts", "attempt"),
        own_of(notify, "outcomes", "outcomes", "outcome"),
        own_of(notify, "tellings", "told_by_notify", "telling"),
        own_of(intake, "reads", "reads", "read"),
        own_of(intake, "tellings", "told_by_intake", "placement_telling"),
        own_of(intake, "exports", "exports", "export"),
        Pair(
            far(intake, "versions"),
            far(notify, "plans"),
            "version_without_plan",
            "plan_without_version",
        ),
        Pair(
            far(notify, "deliveries"),
            far(notify, "receipts"),
            "delivery_without_receipt",
            "receipt_without_delivery",
        ),
        Pair(
            far(notify, "answered"),
            far(notify, "stated"),
            "answered_and_not_held",
            "held_and_not_attempted",
        ),
    )
