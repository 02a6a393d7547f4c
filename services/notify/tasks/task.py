"""Tasks: what a named person must look at. One per kind and matter, never with anybody's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.notify.delivery.outcomes import Obstacle
from services.notify.routing.choosing import OPEN_TOWNS, Gap
from services.notify.routing.routes import Matter, Refused
from shared.contracts.codes import RefusalReason


class TaskKind(StrEnum):
    UNRESOLVED_TOWN = "unresolved_town"
    REFUSED = "refused"
    BREACHED = "breached"
    PARKED = "parked"
    CANNOT_SEND = "cannot_send"
    UNREACHABLE = "unreachable"
    NOT_ACCEPTED = "not_accepted"
    CONFLICT = "conflict"
    UNNAMED = "unnamed_implicated"
    QUESTION = "routing_question"
    DIRECTORY_CHANGED = "directory_changed"
    RECALLED = "misdirected"
    CONTENT_SHREDDED = "content_shredded"
    HELD = "held"
    EXPIRING = "expiring"
    APPROACHING = "approaching"
    TO_BE_CALLED = "to_be_called"
    TOLD_UNLAWFULLY = "told_unlawfully"
    UNREAD = "unread"
    UNACKNOWLEDGED = "unacknowledged"
    NOT_OURS = "not_ours"
    NOT_HELD = "not_held"
    MAJORITY_NEAR = "majority_near"


TOWNS_AND_NAMES = (TaskKind.UNRESOLVED_TOWN, TaskKind.UNNAMED)
"""What routing asks of a referral's facts, beside the questions of its rules."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """`about` with the kind names the matter: the same one is filed once. `desk`: whose it is, if
    the kind does not say. `leg`: how `about` begins in every task of its leg, where a second one
    is filed only when none of them is open."""

    kind: TaskKind
    about: str
    referral_id: str | None
    detail: str
    desk: str | None = None
    leg: str | None = None


_MEND = {
    RefusalReason.NO_AUTHORITY_ON_FILE: "no authority on file permits telling it",
    RefusalReason.AUTHORITY_NOT_YET_IN_FORCE: "its authority is not yet in force",
    RefusalReason.AUTHORITY_EXPIRED: "its authority has expired",
    RefusalReason.NO_ENCRYPTION_KEY: "its record lacks what its channel needs, "
    "for the encrypted one an endpoint and a key",
    RefusalReason.NO_AGENCY_FOR_ROLE: "no agency on file fits the role",
}


def refused(referral_id: str, notice_id: str, version: int, leg: Refused) -> NewTask:
    """A recipient that was not told, or not told that its version is outdated."""
    whom = leg.agency_id or f"the role {leg.role.value}"
    detail = (
        f"Version {version} was not sent to {whom} (child {leg.child_id}, role {leg.role.value}): "
        f"{_MEND[leg.reason]}. Tell a lawful recipient by other means, or mend the directory and "
        "have the referral amended."
    )
    return NewTask(TaskKind.REFUSED, notice_id, referral_id, detail)


def not_sent_again(referral_id: str, notice_id: str, version: int, leg: Refused) -> NewTask:
    """A notice that was accepted, and that a redrive was to send once more."""
    detail = (
        f"Notice {notice_id} (version {version}) was accepted by {leg.agency_id} before, and was "
        f"not sent once more: {_MEND[leg.reason]}. If it has lost what it had, tell it by lawful "
        "means, or mend the directory and ask for the redrive again."
    )
    return NewTask(TaskKind.REFUSED, notice_id, referral_id, detail)


_OBSTACLES = {
    Obstacle.UNTRUSTED: "the certificate at its endpoint is not one to trust: not by an authority "
    "of its record or the system, for another name, ended, or with a key that is not pinned. "
    "Somebody may have put themselves between. Call the agency over a number known of old",
    Obstacle.BAD_TRANSPORT: "what its record says of its endpoint's TLS, or the client certificate "
    "that it names, cannot be used. Put the PEM file among the keys of notify (docs/keys.md), or "
    "mend `transport` in the directory",
    Obstacle.BAD_CHANNEL: "its record names a channel that this release does not know. Mend "
    "`channel` in the directory, or put back the release that knew it",
    Obstacle.UNREADABLE: "it holds a word that this release does not know. Put back the release "
    "that planned it, or call engineering",
    Obstacle.EGRESS_REFUSED: "its endpoint is not https, or leads to a network that its record "
    "does not list. Mend the endpoint or the networks in the directory",
    Obstacle.BAD_KEY: "the key on its record is no public P-256 key. Mend it in the directory",
    Obstacle.KEY_EXPIRED: "the key of its agency has expired. Call the agency and invite it to "
    "enrol a new one (docs/enrolment.md): then this notice goes by itself",
    Obstacle.NO_MAIL: "it is told by mail and no relay is configured. Set HARTLINE_NOTIFY_MAIL "
    "and HARTLINE_NOTIFY_MAIL_FROM (docs/settings.md)",
    Obstacle.UNSEALABLE: "our own sealed copy does not open. Look for the key files of notify "
    "(docs/keys.md); a restored database needs the keys of its time",
}


def cannot_send(referral_id: str, notice_id: str, obstacle: Obstacle) -> NewTask:
    """A notice that no retry will get through before a record is mended."""
    detail = (
        f"Notice {notice_id} cannot be sent: {_OBSTACLES[obstacle]}. Hartline goes on trying; "
        "meanwhile tell the recipient by other means."
    )
    return NewTask(TaskKind.CANNOT_SEND, notice_id, referral_id, detail)


def end_untold(referral_id: str, notice_id: str) -> NewTask:
    """A notice that is over, and of which no event can say so."""
    detail = (
        f"Notice {notice_id} has ended (GET /v1/referrals/…/notices says how), and its clocks "
        "cannot be told so: it holds a word that this release does not know. A clock may run on "
        "and ring although its duty was met. Call engineering; the release that planned it, put "
        "back, spares others the same."
    )
    return NewTask(TaskKind.CANNOT_SEND, f"{notice_id} end", referral_id, detail)


def not_accepted(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    """A notice that its recipient has not taken in a minute or so, whatever it says to others."""
    detail = (
        f"Agency {agency_id} has not accepted notice {notice_id} after several attempts. Hartline "
        "goes on trying and the clocks run. Call the agency; tell it by other means."
    )
    return NewTask(TaskKind.NOT_ACCEPTED, notice_id, referral_id, detail)


def unreachable(referral_id: str, agency_id: str, now: datetime) -> NewTask:
    """An agency that fails again and again. One task per agency and day (UTC)."""
    detail = (
        f"Agency {agency_id} has refused or missed several notices in a row. Hartline holds and "
        "goes on trying, and drops nothing; the clocks run. Call the agency."
    )
    return NewTask(TaskKind.UNREACHABLE, f"{agency_id} {now:%Y-%m-%d}", referral_id, detail)


def unresolved_town(referral_id: str, child_id: str, gaps: Sequence[Gap]) -> NewTask:
    """One task per child; what is open of its towns, and who is told meanwhile."""
    said = " ".join(OPEN_TOWNS[gap] for gap in gaps)
    detail = f"Of child {child_id}: {said} The clock runs. Find it out and amend the referral."
    return NewTask(TaskKind.UNRESOLVED_TOWN, child_id, referral_id, detail)


def conflict(referral_id: str, agency_id: str) -> NewTask:
    """An agency is left out, silently. One task per referral and agency."""
    detail = (
        f"Agency {agency_id} would be told of this referral and has a conflict of interest: it is "
        "told nothing, sees nothing, and must not be asked. See who stands in for it (GET "
        "/v1/referrals/…/routing) and make sure that they are enough."
    )
    return NewTask(TaskKind.CONFLICT, f"{referral_id} {agency_id}", referral_id, detail)


def lifted(referral_id: str, agency_id: str, conflict_id: str) -> NewTask:
    detail = (
        f"The conflict of agency {agency_id} was lifted. It has not been told what it missed: have "
        "the referral amended, and the next version reaches it."
    )
    return NewTask(TaskKind.CONFLICT, conflict_id, referral_id, detail)


def unnamed(referral_id: str, child_id: str) -> NewTask:
    detail = (
        f"Somebody of a public agency is implicated in the matter of child {child_id}, and the "
        "agency is not named as the directory has it. Whoever it may be by the kind and the name "
        "is left out (GET /v1/referrals/…/routing lists them), and nobody where neither says "
        "anything. Find out which it is and have the referral amended."
    )
    return NewTask(TaskKind.UNNAMED, child_id, referral_id, detail)


def question(referral_id: str, matter: Matter) -> NewTask:
    detail = f"{matter.because} (child {matter.child_id}). The answer decides whom to tell."
    return NewTask(TaskKind.QUESTION, f"{matter.rule} {matter.child_id}", referral_id, detail)


def shared_after_withdrawal(referral_id: str, share_id: str) -> NewTask:
    detail = (
        "The outcome of a consult was to be shared with the team and the referral is withdrawn: "
        "nobody was told. Decide whether the team must hear of it, and by what right."
    )
    return NewTask(TaskKind.QUESTION, share_id, referral_id, detail)


def recalled(referral_id: str, notice_id: str, agency_id: str, sent: bool) -> NewTask:
    """A misdirected disclosure. One task per notice."""
    asked = (
        "has been asked to set it apart"
        if sent
        else "may not lawfully be sent anything further: decide with counsel how to get it back"
    )
    detail = (
        f"Notice {notice_id} went to agency {agency_id} by mistake, which {asked}. See to its "
        "return, tell whoever should have had it, and leave the compliance officer a note of what "
        "went to whom and when: reporting the incident (CGS 17a-28) is theirs."
    )
    return NewTask(TaskKind.RECALLED, notice_id, referral_id, detail)


def content_shredded(referral_id: str, notice_id: str) -> NewTask:
    detail = (
        f"Notice {notice_id} was closed before it was delivered: two people ordered the content "
        "about its child destroyed. Look whether its recipient must be told so by other means."
    )
    return NewTask(TaskKind.CONTENT_SHREDDED, notice_id, referral_id, detail)


def nobody_stands_in(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    detail = (
        f"Agency {agency_id} has a conflict of interest, and nobody was told in its place of the "
        f"child of notice {notice_id}: the content about the child was destroyed. Look whether "
        "somebody must be told by other means."
    )
    return NewTask(TaskKind.CONTENT_SHREDDED, f"{notice_id} stand-in", referral_id, detail)


def withdrawal_untold(referral_id: str, child_id: str) -> NewTask:
    detail = (
        f"The referral was withdrawn, and whoever holds a notice of child {child_id} was not told "
        "so: the content about the child, or one beside it, was destroyed, and with it who has a "
        "conflict of interest. Look who must hear of it by other means."
    )
    return NewTask(TaskKind.CONTENT_SHREDDED, f"{child_id} withdrawal", referral_id, detail)


def nobody_told(referral_id: str, version: int) -> NewTask:
    detail = (
        f"Version {version} of the referral came to notify after the content about its children "
        "had been destroyed: nobody was told of it. Look whether somebody must be."
    )
    about = f"{referral_id}/{version}"
    return NewTask(TaskKind.CONTENT_SHREDDED, about, referral_id, detail)
