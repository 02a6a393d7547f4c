"""What may come instead of an answer. None of it holds a value that was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong where. `pointer` is a JSON pointer as a URI fragment: `#/children/0/sex`."""

    pointer: str
    detail: str


class HartlineError(Exception):
    """Anything that this package raises about a request."""


class Unavailable(HartlineError):
    """Hartline did not answer, or not for good, within our patience: it may or may not have been
    kept. Send the same again with the same key; the spool does."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(HartlineError):
    """Hartline's answer is no, and stays no until something changes."""

    def __init__(
        self, status: int, title: str, detail: str | None, flaws: tuple[Flaw, ...] = ()
    ) -> None:
        super().__init__(f"{status} {detail or title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.flaws = flaws


class Invalid(Refused):
    """400, 408, 413, 415, 422, 428: mend what `flaws` names, or the caller of this package."""


class NotAllowed(Refused):
    """401 or 403: the token is not valid, or lacks the scope."""


class NotFound(Refused):
    """404: there is no such thing, or it is another system's."""


class Conflict(Refused):
    """409: the key came before with another body, or the state forbids it."""


class Outdated(Refused):
    """412: somebody amended it meanwhile. Read the status, then amend that version."""


class ServerFault(Refused):
    """500: a mistake of Hartline's. Tell its operators; the spool keeps the referral."""


_BY_STATUS: Mapping[int, type[Refused]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Outdated,
    500: ServerFault,
}


def refused(status: int, problem: Any) -> Refused:
    """The error of a problem+json body, or of whatever came in its place."""
    told = problem if isinstance(problem, dict) else {}
    flaws = tuple(
        Flaw(str(each.get("pointer", each.get("parameter", ""))), str(each.get("detail", "")))
        for each in told.get("errors", ())
        if isinstance(each, dict)
    )
    kind = _BY_STATUS.get(status, ServerFault if status >= 500 else Invalid)
    return kind(status, str(told.get("title", "Refused")), told.get("detail"), flaws)
