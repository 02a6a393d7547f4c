"""Whose a thing is: a machine has its own, a person with the scope sees to anybody's."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.runtime.auth import Principal
from shared.runtime.db import Session

Hidden = Callable[[Session, Sequence[str], str], Awaitable[set[str]]]
"""Those of these referrals that this person is kept out of, as it is in the transaction (C17)."""


@dataclass(frozen=True, slots=True)
class NotTheirs:
    """There is no such thing, or it is somebody else's: the caller cannot tell which."""


def theirs(caller: Principal, owner: str | None) -> bool:
    """Whether the caller may know of what `owner` made; None: there is no such thing."""
    return owner is not None and (caller.person or caller.subject == owner)
