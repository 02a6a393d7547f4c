"""What is true by now of tasks that an agency takes nothing, or that notices are held. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Unreached:
    """An agency that a task says takes nothing."""

    waiting: int
    """Notices that it has not taken."""
    failing: bool
    """It has failed since it last took one."""
    taken_since: datetime | None
    """When it took the first of all that it has taken since the task was filed."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A halt that a task says holds notices. `lifted_at` None: it still does."""

    lifted_at: datetime | None


def over(standing: Unreached | Paused) -> str | None:
    """The sentence that goes before the task's own; None while it is not over."""
    match standing:
        case Unreached(waiting=0, failing=False, taken_since=datetime() as since):
            return (
                f"OVER: it has taken everything since {since:%Y-%m-%dT%H:%M:%SZ}; nothing waits. "
                "Nobody needs to be called: acknowledge this. What was:"
            )
        case Paused(lifted_at=datetime() as lifted):
            return (
                f"OVER: this was lifted at {lifted:%Y-%m-%dT%H:%M:%SZ} and holds nothing any "
                "more: acknowledge this. What was:"
            )
        case _:
            return None
