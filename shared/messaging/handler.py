"""What a service gives the worker: one handler per event type."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from shared.contracts.base import Event, EventData
from shared.runtime.db import Session

D_contra = TypeVar("D_contra", bound=EventData, contravariant=True)


class Handler(Protocol[D_contra]):
    """Handles events of one type, in order per subject, at least once per crash, once per commit.

    Raise shared.runtime.errors.Retryable to back this subject off, Permanent to park it. Any other
    exception backs off too. `apply` may share its transaction with other subjects; when the
    transaction fails, each is applied again alone, with the same material.
    """

    async def prepare(self, event: Event, data: D_contra) -> Any:
        """Fetch what `apply` will need. Outside any transaction; may be slow; may run twice."""

    async def apply(self, session: Session, event: Event, data: D_contra, material: Any) -> None:
        """Write the effects through `session`. No HTTP and no commit: the worker commits."""


class AtOnce:
    """A handler that waits for nothing: its material follows from the event. Inherited from, like
    BatchHandler; its events need neither a task nor a deadline to be prepared."""

    def __init_subclass__(cls) -> None:
        if "prepare" in vars(cls):
            raise TypeError(f"{cls.__name__} waits for nothing: it gives `material`, no `prepare`.")

    def material(self, event: Event, data: Any) -> Any:
        """What `apply` will be given. Quick, for everything else stands still; may run twice."""
        return None

    async def prepare(self, event: Event, data: Any) -> Any:
        return self.material(event, data)


class BatchHandler:
    """A handler that also applies many events at once, for fewer statements. It is inherited from,
    because every event is asked for it, and a protocol takes long to say.

    When the batch fails, each subject is handed over alone, so that one bad event holds up only
    its own subject.
    """

    takes_runs = False
    """Whether a batch may hold several events of one subject, in order. Else all are of different
    subjects."""

    async def apply_all(self, session: Session, batch: Sequence[tuple[Event, Any, Any]]) -> None:
        """What `apply` does, for a batch of (event, data, material)."""
        raise NotImplementedError
