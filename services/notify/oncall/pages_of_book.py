"""Which page of the runbook is about a kind of task, for whoever is paged and never heard of it."""

from services.notify.tasks.task import TaskKind

_BOOK = "docs/runbook.md"
_DELIVERIES = "deliveries-a-notice-that-is-not-over"
_MAILBOXES = "mailboxes-unread-or-unacknowledged"
_WRONG = "a-notice-went-to-the-wrong-recipient"
_CLOCKS = "a-clock-ran-out"
_ANY = "tasks-a-person-has-to-look"
_PAGES: dict[str, str] = {
    TaskKind.REFUSED: "a-recipient-was-refused",
    TaskKind.BREACHED: _CLOCKS,
    TaskKind.APPROACHING: _CLOCKS,
    TaskKind.PARKED: "parked-a-subject-that-waits-for-a-person",
    TaskKind.CANNOT_SEND: _DELIVERIES,
    TaskKind.UNREACHABLE: _DELIVERIES,
    TaskKind.NOT_ACCEPTED: _DELIVERIES,
    TaskKind.HELD: "held-notices-that-a-pause-or-a-stop-keeps-back",
    TaskKind.UNREAD: _MAILBOXES,
    TaskKind.UNACKNOWLEDGED: _MAILBOXES,
    TaskKind.RECALLED: _WRONG,
    TaskKind.NOT_OURS: _WRONG,
    TaskKind.TOLD_UNLAWFULLY: "oral_entry-a-call-without-a-notice",
}


def page_of(kind: str) -> str:
    """`docs/runbook.md#…`. The page on tasks, where a kind has none of its own, or is of a later
    release."""
    return f"{_BOOK}#{_PAGES.get(kind, _ANY)}"
