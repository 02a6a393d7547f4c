"""What stands until a person has looked, each thing in one finding that says which it is."""

from deploy.operations.asking import Seen
from shared.runtime import progress
from shared.runtime.findings import Finding, act
from shared.runtime.progress import Stopped

NAMED = ("parked", "quarantine")
"""The ages of what is named here."""

_BOOK = "docs/runbook.md"


def standing(seen: Seen) -> list[Finding]:
    """Of each that is parked, forked or unreadable. A service's halts are its own looks'."""
    stopped = seen.way.stopped if seen.way else ()
    return [finding for each in stopped for finding in _of(seen.service, each)]


def _of(service: str, each: Stopped) -> list[Finding]:
    show = f"first `python -m services.SERVICE parked show {each.id}`, for each named here."
    match each.what:
        case progress.FORKED:
            says = f"Two different events of {each.id} have one number (a fork, {each.why}): the"
            says += " first stands, the second and all that came later wait."
            do = f"{_BOOK}#a-fork-two-events-of-one-number: {show}"
        case progress.PARKED:
            says = f"{each.id} waits for a person ({each.why}), and all that came later with it."
            do = f"{_BOOK}#parked-a-subject-that-waits-for-a-person: {show}"
        case progress.UNREADABLE:
            says = f"A record on the bus could not be read: {each.id} ({each.why})."
            do = f"{_BOOK}#quarantine-a-record-that-could-not-be-read"
        case _:
            return []
    return [act(f"{service}, {each.what}", says, do)]
