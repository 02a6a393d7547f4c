"""The accounting as a letter: what its audience may see, in words, with where it stands in the log.

It names nobody whom it is about: whoever hands it over knows. Pure but for the typesetting.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.audit.accounting.asking import Accounting
from services.audit.accounting.rows import How, Outcome, Row
from services.audit.accounting.withholding import (
    REPORTER_CITATION,
    Audience,
    Ground,
    Shown,
    Withheld,
)
from shared.typesetting.fonts import printable
from shared.typesetting.press import Press

TITLE = "Accounting of disclosures"
_EASTERN = ZoneInfo("America/New_York")

_HOW = {
    How.WEBHOOK: "Encrypted electronic notice",
    How.POINTER: "A message that something waits, without content",
    How.MAILBOX: "Opened in the protected mailbox",
    How.ORAL: "By word of mouth",
    How.EXPORT: "Export",
    How.INTERNAL_READ: "Read within the department",
    How.RECORD_READ: "Read of this record of disclosures",
}
_OUTCOME = {
    Outcome.DISCLOSED: "Disclosed",
    Outcome.NOT_SENT: "Not sent: nothing left the department",
    Outcome.UNKNOWN: "Attempted; whether it arrived is not known. It counts as disclosed",
    Outcome.REFUSED: "Refused by the department: nothing was disclosed",
}
_GROUND = {
    Ground.REQUESTER_IS_SUSPECT: "whoever asks is alleged to have harmed the child",
    Ground.LAW_ENFORCEMENT_REQUEST: "a law-enforcement agency asked in writing for a delay",
    Ground.HARM_TO_CHILD: "giving it out could harm the child",
    Ground.REPORTER_IDENTITY: "it could show who made a report",
    Ground.COURT_ORDER: "a court ordered it",
}


def letter(made: Accounting) -> bytes:
    """The PDF. Equal answers make equal bytes. Raises Unprintable."""
    return _press().pdf(page(made), TITLE, made.answered_at)


@cache
def _press() -> Press:
    return Press(Path(__file__).with_name("letter.typ"), "show-letter")


def page(made: Accounting) -> dict[str, Any]:
    """What letter.typ sets: labels and texts, every one printable."""
    names = made.names if made.names is not None else [None] * len(made.shown)
    rows = [_row(each, name) for each, name in zip(made.shown, names, strict=True)]
    return {
        "head": _head(made),
        "opening": list(_opening(made)),
        "withheld": list(_withheld(made.withheld)),
        "rows": rows,
        "closing": list(_closing(made)),
    }


def _head(made: Accounting) -> list[dict[str, str]]:
    return [
        _fact("Record", made.question.child_id),
        _fact("Made", _moment(made.answered_at)),
        _fact("For", made.question.audience.value),
        _fact("Purpose", made.question.purpose.value.replace("_", " ")),
    ]


def _opening(made: Accounting) -> Iterator[str]:
    yield (
        "Under section 4-193 of the General Statutes an agency keeps a complete record of every "
        "individual and agency who obtained access to, or disclosure of, personal data, and of the "
        "reason, and gives it to the person on written request."
    )
    if not made.rows:
        yield "There is no access and no disclosure on record."
    if made.question.audience is Audience.SUSPECT:
        yield (
            "You are told that the request was received and answered. What is on record is "
            "withheld from you, for the reason that follows."
        )


def _withheld(withheld: list[Withheld]) -> Iterator[str]:
    for (ground, citation), count in Counter((e.ground, e.citation) for e in withheld).items():
        some = "1 entry is" if count == 1 else f"{count} entries are"
        yield f"{some} withheld because {_GROUND[ground]} ({printable(citation)})."
    if withheld:
        yield (
            "You may ask the department to look at this again, and may petition the superior "
            "court (CGS 4-195)."
        )


def _closing(made: Accounting) -> Iterator[str]:
    checkpoint = made.checkpoint
    if checkpoint is None:
        yield "Nothing had been signed when this was made."
        return
    yield (
        f"This was made from the first {checkpoint.size:,} entries of the department's disclosure "
        f"log. Its signed head, whose root begins with {checkpoint.root.hex()[:16]}, proves to "
        "anybody who holds a copy of it that no entry was changed, removed or added afterwards. "
        "Each entry is named by its number; the department gives its proof with the electronic "
        "form of this letter."
    )


def _row(shown: Shown, name: str | None) -> dict[str, Any]:
    facts = [fact for fact in _facts(shown) if fact["value"]]
    return {"who": printable(_who(shown.row, name)), "facts": facts}


def _who(row: Row, name: str | None) -> str:
    if row.agency_id is not None:
        role = f" ({row.role.replace('_', ' ')})" if row.role else ""
        return f"{name or row.agency_id}{role}"
    if row.how is How.ORAL and row.recipient_id:
        return f"Told by {row.actor}; recipient {row.recipient_id}"
    if row.actor is None:
        return f"No agency fitted the role {row.role}"
    return f"{'Staff' if row.actor_kind == 'person' else 'Service'} {row.actor}"


def _facts(shown: Shown) -> Iterator[dict[str, str]]:
    row = shown.row
    yield _fact("When", _moment(row.at))
    yield _fact("How", _HOW[row.how])
    yield _fact("Outcome", _OUTCOME[row.outcome] + (f" ({row.reason})" if row.reason else ""))
    yield _fact("What", ", ".join(row.fields))
    if shown.reporter_protected:
        yield _fact("Left out", f"what could show who made a report ({REPORTER_CITATION})")
    yield _fact("By what right", row.authority or "")
    yield _fact("Purpose", (row.purpose or "").replace("_", " "))
    if row.directory_version is not None:
        as_of = f"rules {row.rules_version}, directory {row.directory_version}"
        yield _fact("As of", as_of)
    yield _fact("Log entries", ", ".join(map(str, row.indexes)))


def _fact(label: str, value: str) -> dict[str, str]:
    return {"label": label, "value": printable(value)}


def _moment(moment: datetime) -> str:
    return moment.astimezone(_EASTERN).strftime("%B %-d, %Y, %-I:%M:%S %p %Z")
