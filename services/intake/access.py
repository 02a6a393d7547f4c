"""Whose a thing is: a machine has its own, a person with the scope sees to anybody's."""

from dataclasses import dataclass

from shared.runtime.auth import Principal


@dataclass(frozen=True, slots=True)
class NotTheirs:
    """There is no such thing, or it is somebody else's: the caller cannot tell which."""


def theirs(caller: Principal, owner: str | None) -> bool:
    """Whether the caller may know of what `owner` made; None: there is no such thing."""
    return owner is not None and (caller.person or caller.subject == owner)
