"""Whether a notice can be recalled or closed, and what a recall says (C15). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from services.notify.directory.register import Directory
from services.notify.planning.new_notice import Message, NewNotice, contentless
from services.notify.planning.plan import (
    NO_DUTY,
    DeliveryState,
    Earlier,
    is_unread,
    is_untold,
)
from services.notify.routing.routes import Refused, Route
from shared.contracts.codes import NoticeKind

_RECALL = Message(NoticeKind.RECALL, rule="recall", purpose="Return of a misdirected notice")
_BECAUSE = "was sent a notice by mistake"


@dataclass(frozen=True, slots=True)
class NotNow:
    """An attempt of it is under way: it must end first (P8)."""


@dataclass(frozen=True, slots=True)
class NothingToRecall:
    """It holds no content, or nobody was told of it: what has not left is closed."""


@dataclass(frozen=True, slots=True)
class OverAlready:
    """It has ended: there is nothing left to close."""


@dataclass(frozen=True, slots=True)
class Recall:
    """`notice` is None when the wrong recipient may not be told even that; `refused` says why,
    unless it has a conflict of interest. `stopped`: what else was still to go to it, or to be
    opened."""

    notice: NewNotice | None
    refused: Refused | None
    stopped: tuple[Earlier, ...]
    disclosed: bool = True
    """False: nobody had opened it or an earlier version, and now nobody can. There is nothing to
    ask back."""


def recall(
    wrong: Earlier, history: Iterable[Earlier], route: Route, directory: Directory, today: date
) -> Recall | NotNow | NothingToRecall:
    """What the recall of one notice does, given every notice of its referral."""
    mine = [each for each in history if each.leg == wrong.leg]
    if any(each.state is DeliveryState.ATTEMPTING for each in mine):
        return NotNow()
    if wrong.kind in NO_DUTY or not (wrong.may_hold or is_unread(wrong)):
        return NothingToRecall()
    stopped = tuple(
        each
        for each in mine
        if is_untold(each) and each.kind is not NoticeKind.RECALL and each != wrong
    )
    held = wrong if wrong.may_hold else _held(mine)
    if held is None:
        return Recall(None, None, stopped, disclosed=False)
    if route.bars(*wrong.leg, directory, asking_back=True):
        return Recall(None, None, stopped)
    asked = contentless(_RECALL, held, _BECAUSE, directory, today, recalls=held.notice_id)
    if isinstance(asked, Refused):
        return Recall(None, asked, stopped)
    return Recall(asked, None, stopped)


def _held(mine: Iterable[Earlier]) -> Earlier | None:
    """The latest that the same recipient may hold of the child: an earlier version, where the one
    that is recalled lies unread."""
    held = [each for each in mine if each.may_hold and each.kind not in NO_DUTY]
    return max(held, key=lambda each: (each.version, each.revision), default=None)


def close(notice: Earlier) -> NotNow | OverAlready | None:
    """None: it can be closed."""
    if notice.state is DeliveryState.ATTEMPTING:
        return NotNow()
    closable = is_untold(notice) or notice.state is DeliveryState.REFUSED
    return None if closable else OverAlready()


def series(notice_id: str) -> str:
    """A recall replaces nothing, and nothing replaces it."""
    return f"recall/{notice_id}"
