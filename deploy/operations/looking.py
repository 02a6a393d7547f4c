"""A look that fails is one finding: it ends neither the other looks nor whoever looks."""

from collections.abc import Awaitable, Callable, Iterable

from shared.runtime.findings import Finding, act
from shared.runtime.logging import where

ITSELF = 3
"""The exit code of a doctor that could not do its work: it says nothing of Hartline."""


def looked(about: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except Exception as error:
        return [failed(about, error)]


async def awaited(about: str, look: Awaitable[Iterable[Finding]]) -> list[Finding]:
    try:
        return list(await look)
    except Exception as error:
        return [failed(about, error)]


def failed(about: str, error: Exception) -> Finding:
    """Where it failed and not what it said, which may be anything."""
    says = f"It could not be looked at ({where(error)})."
    return act(about, says, "Call engineering with this line; the other lines stand.")


def broken(error: Exception) -> Finding:
    """Of the doctor itself."""
    do = (
        "`status` shows what runs and where every notice is, docs/runbook.md what to do; call "
        f"engineering with this line. Nothing else was looked at: the exit code is {ITSELF}, which "
        "says nothing of Hartline."
    )
    return act("the doctor", f"The doctor failed itself ({where(error)}).", do)
