"""What audit asks of the other services: whom a child is (intake), what an agency was called
when it was told (notify), and that a child's content be destroyed (intake)."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from services.audit.accounting.rows import Row
from shared.contracts.base import OpaqueId
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.internal_http import InternalClient

INTAKE_SCOPES = ("internal:subjects", "internal:shred")
NOTIFY_SCOPES = ("internal:agency-names",)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Subjects(_Answer):
    """Every id under which the record may speak of one person; the one asked about first."""

    referral_id: OpaqueId
    child_ids: tuple[OpaqueId, ...]
    call_ids: tuple[OpaqueId, ...]
    record_ids: tuple[OpaqueId, ...] = ()
    shredded: tuple[OpaqueId, ...]

    @property
    def every(self) -> tuple[str, ...]:
        return self.child_ids + self.call_ids + self.record_ids


class _Names(_Answer):
    names: tuple[str | None, ...]


class People(Protocol):
    async def subjects(self, child_id: str) -> Subjects | None: ...

    async def shred(self, child_id: str, shredding_id: str) -> None: ...


class Names(Protocol):
    async def of(self, rows: Sequence[Row]) -> Sequence[str | None] | None: ...


class HttpPeople:
    """Intake, which keeps what a person confirmed: that two children are one."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    async def subjects(self, child_id: str) -> Subjects | None:
        """None: intake knows no such child. Raises Retryable while it is away: an accounting that
        left out a referral would be a wrong one."""
        try:
            answer = await self._client.get(f"/internal/v1/children/{child_id}/subjects")
        except Permanent:
            return None
        try:
            return Subjects.model_validate(answer)
        except ValidationError:
            raise Retryable("intake's answer is not in the form agreed") from None

    async def shred(self, child_id: str, shredding_id: str) -> None:
        """Raises Retryable or Permanent. Ordered again, it changes nothing."""
        await self._client.post(
            f"/internal/v1/children/{child_id}/shredding", {"shredding_id": shredding_id}
        )


class HttpNames:
    """Notify's directory, as of each entry."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    async def of(self, rows: Sequence[Row]) -> Sequence[str | None] | None:
        """A name for each row, null where it names no agency or an unknown one. None: notify does
        not answer, and ids must do."""
        told = [row for row in rows if row.agency_id is not None]
        found: list[str | None] = []
        for start in range(0, len(told), _AT_ONCE):
            page = await self._ask(told[start : start + _AT_ONCE])
            if page is None:
                return None
            found.extend(page)
        names = iter(found)
        return [None if row.agency_id is None else next(names) for row in rows]

    async def _ask(self, rows: Sequence[Row]) -> Sequence[str | None] | None:
        asked = [
            {
                "agency_id": row.agency_id,
                "directory_version": row.directory_version,
                "at": row.at.isoformat(),
            }
            for row in rows
        ]
        try:
            answer = await self._client.post("/internal/v1/agencies/names", {"told": asked})
            found = _Names.model_validate(answer).names
        except (Retryable, Permanent, ValidationError):
            return None
        return found if len(found) == len(rows) else None


_AT_ONCE = 1000
