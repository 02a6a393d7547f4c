"""What a service gives the worker: one handler per event type."""

from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.base import Event, EventData

D_contra = TypeVar("D_contra", bound=EventData, contravariant=True)


class Handler(Protocol[D_contra]):
    """Handles events of one type, in order per subject, at least once per crash, once per commit.

    Raise shared.runtime.errors.Retryable to back this subject off, Permanent to park it. Any other
    exception backs off too. `apply` may share its transaction with other subjects; when the
    transaction fails, each is applied again alone, with the same material.
    """

    async def prepare(self, event: Event, data: D_contra) -> Any:
        """Fetch what `apply` will need. Outside any transaction; may be slow; may run twice."""

    async def apply(
        self, session: AsyncSession, event: Event, data: D_contra, material: Any
    ) -> None:
        """Write the effects through `session`. No HTTP and no commit: the worker commits."""
