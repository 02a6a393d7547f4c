"""How far a planned leg has come, as a value and in words, for a person who must answer for it.

Pure; never a town's name. Told is who has the content, or had it read aloud. Whoever was sent it
and did not answer counts as disclosed to, and is not said to be told; a pointer tells nothing.
"""

from enum import StrEnum

from services.notify.legs import LegStatus
from services.notify.planning.occasion import CONFLICT_OF_INTEREST
from services.notify.routing.explain import not_told, role_words


class PlannedFate(StrEnum):
    """What became of a planned leg. Of one that reached somebody, how far it came; else why not."""

    PENDING = "pending"
    """Nothing has left."""
    HELD = "held"
    """Nothing has left, and nothing leaves for it now: a person's halt, or its breaker."""
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    """Sent, and never accepted: it may hold it, and counts as disclosed to."""
    POINTED = "pointed"
    """A pointer without content arrived, and nobody has opened the notice."""
    TOLD = "told"
    """Sent, and its system answered that it has it."""
    OPENED = "opened"
    TOLD_ORALLY = "told_orally"
    ACKNOWLEDGED = "acknowledged"
    RECALLED = "recalled"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"
    REFUSED = "refused"
    SUPPRESSED = "suppressed"


_NEVER_SENT = {
    "blocked": PlannedFate.PENDING,
    "attempting": PlannedFate.SENDING,
    "delivered": PlannedFate.POINTED,
    "superseded": PlannedFate.SUPERSEDED,
    "withdrawn": PlannedFate.WITHDRAWN,
    "closed": PlannedFate.CLOSED,
    "refused": PlannedFate.REFUSED,
}
_OVER = frozenset({"superseded", "withdrawn", "closed", "refused"})


def fate_of(leg: LegStatus) -> PlannedFate:
    """What is true of it now. That it was told stays true whatever was asserted since."""
    if leg.reason is not None:
        conflict = leg.reason == CONFLICT_OF_INTEREST
        return PlannedFate.SUPPRESSED if conflict else PlannedFate.REFUSED
    if leg.recalled:
        return PlannedFate.RECALLED
    told = _as_told(leg)
    if told is not None:
        return told
    return PlannedFate.SUPPRESSED if leg.in_conflict else _on_its_way(leg)


def _as_told(leg: LegStatus) -> PlannedFate | None:
    """A person's word or hand counts for more than a system's answer."""
    if leg.acknowledged_at is not None:
        return PlannedFate.ACKNOWLEDGED
    if leg.told_orally:
        return PlannedFate.TOLD_ORALLY
    if leg.opened_at is not None:
        return PlannedFate.OPENED
    accepted = leg.state == "delivered" or leg.delivered_at is not None
    if accepted and leg.may_hold and not leg.unread:
        return PlannedFate.TOLD
    return None


def _on_its_way(leg: LegStatus) -> PlannedFate:
    if leg.may_hold and leg.state != "attempting":
        return PlannedFate.UNCERTAIN
    if leg.state == "pending":
        return PlannedFate.HELD if leg.held else PlannedFate.PENDING
    return _NEVER_SENT[leg.state]


def words(leg: LegStatus) -> str:
    """The same in a sentence or more, with the reason for the leg and what it shows."""
    fate = fate_of(leg)
    if leg.reason is not None:
        suppressed = fate is PlannedFate.SUPPRESSED
        because = f"Not told: {leg.because}."
        return because if suppressed else not_told(leg.reason, leg.role, leg.because)
    if fate is PlannedFate.SUPPRESSED:
        return f"Stopped: {_grounds(leg)}; {_kept(leg)}. {leg.because}."
    barred = _barred(leg, fate) if leg.in_conflict else ""
    also = f" It counts for {', '.join(map(role_words, leg.also))} too." if leg.also else ""
    return f"{_came(leg, fate)}{barred}. {leg.because}. {_sees(leg)}.{also}"


def _barred(leg: LegStatus, fate: PlannedFate) -> str:
    """Who was asked to give it back keeps nothing, and is held back by the recall itself."""
    if fate is PlannedFate.RECALLED:
        return "; it gets nothing further"
    return f"; what it holds stays with it, and it gets nothing further, for {_grounds(leg)}"


def _grounds(leg: LegStatus) -> str:
    said = [words for ground, words in _OF_ONE.items() if ground in leg.barred_for]
    if not said or set(leg.barred_for) - _OF_ONE.keys():
        said.insert(0, "a conflict of interest was asserted")
    return " and ".join(said)


def _kept(leg: LegStatus) -> str:
    if leg.may_hold:
        return "what it holds stays with it, and it gets nothing further"
    return "nothing of this was sent to it, and nothing will be"


def _sees(leg: LegStatus) -> str:
    if leg.profile is None:
        return f"Sees nothing but {_SAYS.get(leg.kind, 'that its version is outdated')}"
    return f"Sees {len(leg.fields)} fields of the profile {leg.profile}, by {leg.authority}"


def _came(leg: LegStatus, fate: PlannedFate) -> str:
    if fate is PlannedFate.CLOSED:
        return f"Not told by Hartline: {_closed(leg)}"
    said = _HOW_FAR[fate]
    match fate:
        case PlannedFate.PENDING if leg.state == "blocked":
            return f"{said} once an earlier attempt has ended"
        case PlannedFate.UNCERTAIN if leg.unread:
            return f"{said}; a pointer arrived since, and nobody has opened the notice"
        case PlannedFate.UNCERTAIN if leg.held:
            return f"{said}; {_HOLD}"
        case PlannedFate.REFUSED if leg.conflict_lifted:
            return (
                "Not told: a conflict of interest held it back, and was lifted since; the next "
                "version reaches it"
            )
        case PlannedFate.RECALLED if not leg.may_hold:
            return "Not told, and not to be: it was not meant for it"
        case (
            PlannedFate.UNCERTAIN | PlannedFate.TOLD | PlannedFate.OPENED | PlannedFate.ACKNOWLEDGED
        ):
            rest = _rest(leg, fate)
            return f"{said}; {rest}" if rest else said
    return said


def _rest(leg: LegStatus, fate: PlannedFate) -> str:
    """What becomes of it now, where that is not what it says already."""
    if leg.state in _OVER:
        return f"not tried again: {_WHY_OVER.get(leg.state) or _closed(leg)}"
    if leg.state not in ("pending", "blocked"):
        return ""
    if fate is PlannedFate.UNCERTAIN:
        return "it is tried again"
    again = fate is PlannedFate.TOLD
    return "it is sent once more, as was asked" if again else "the notice still goes out"


def _closed(leg: LegStatus) -> str:
    """Of a child whose content was destroyed nobody closes a notice: it goes with the content."""
    if leg.closed_because is None:
        return "the content about the child was destroyed by order"
    return f"a person closed it ({leg.closed_because.replace('_', ' ')})"


_OF_ONE = {
    "not_ours": "it said that the matter is not its own",
    "misdirected": "its notice was sent to it by mistake",
}

_HOLD = "nothing is sent to it for now, by a person's halt or because it keeps failing"
_HOW_FAR = {
    PlannedFate.PENDING: "To be told",
    PlannedFate.HELD: f"Held, and not told yet: {_HOLD}",
    PlannedFate.SENDING: "Being told: an attempt is under way",
    PlannedFate.UNCERTAIN: "Sent, and not accepted or never answered: it may hold it, which counts "
    "as disclosed",
    PlannedFate.POINTED: "Not told yet: a pointer without content arrived, and nobody has opened "
    "the notice",
    PlannedFate.TOLD: "Told: it was sent, and its system answered that it has it",
    PlannedFate.OPENED: "Told: a person of its own opened it",
    PlannedFate.TOLD_ORALLY: "Told by word of mouth",
    PlannedFate.ACKNOWLEDGED: "Told, and it has acknowledged that",
    PlannedFate.RECALLED: "Told by mistake, or may have been, and asked back",
    PlannedFate.SUPERSEDED: "Not told: overtaken by a later version before that",
    PlannedFate.WITHDRAWN: "Not told: the referral was entered in error",
    PlannedFate.REFUSED: "Not told: the law no longer permitted it when it was due",
}
_WHY_OVER = {
    "superseded": "overtaken by a later version",
    "withdrawn": "the referral was entered in error",
    "refused": "the law no longer permits it",
}
_SAYS = {
    "withdrawal": "that the referral is withdrawn, and the cause by its code",
    "recall": "that a notice is asked back",
    "related_notice": "under which number it was told before, and the relation by its code",
}
