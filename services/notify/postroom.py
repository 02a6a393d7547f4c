"""From an attempt to a letter: open the copy, write the form, encrypt, sign. About 150 µs."""

from datetime import datetime

from joserfc.errors import JoseError

from services.notify import envelope
from services.notify.attempts import Attempt, SealedCopy
from services.notify.copies import open_copy
from services.notify.forms.changes import changes
from services.notify.outcomes import Obstacle
from services.notify.sender import Letter
from services.notify.signing import Signer
from shared.runtime.sealing import Sealer, Unsealable

_FORMS = {"dcf_823": "DCF-823"}
"""What is printed at the head of a form; all others are kinds of the DCF-737."""


class CannotPrepare(Exception):
    """There is no letter to send, so nothing is sent."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle


class Postroom:
    """Holds what opens our copies and what signs our letters."""

    def __init__(self, sealer: Sealer, signer: Signer) -> None:
        self._sealer = sealer
        self._signer = signer

    def letter(self, attempt: Attempt, now: datetime, deadline: float) -> Letter:
        """The letter of one attempt. `deadline` on the event loop's clock.

        Its webhook-id is the notice's id, so a receiver knows a retry. Raises CannotPrepare.
        """
        notice = self._notice(attempt)
        try:
            body = envelope.encrypt(
                envelope.plaintext(notice),
                attempt.agency_id,
                attempt.public_key,
                attempt.notice_id,
                now,
            )
        except (JoseError, ValueError, KeyError):
            raise CannotPrepare(Obstacle.BAD_KEY) from None
        return Letter(
            agency_id=attempt.agency_id,
            url=attempt.endpoint,
            allowed_networks=attempt.allowed_networks,
            headers={
                "Content-Type": envelope.CONTENT_TYPE,
                **self._signer.headers(attempt.notice_id, now, body),
            },
            body=body,
            deadline=deadline,
        )

    def _notice(self, attempt: Attempt) -> envelope.Notice:
        child = self._child(attempt)
        return envelope.Notice(
            notice_id=attempt.notice_id,
            kind=attempt.kind,
            version=attempt.version,
            supersedes=attempt.supersedes,
            referral_number=attempt.referral_number,
            trigger=attempt.trigger,
            received_at=attempt.received_at,
            agency_id=attempt.agency_id,
            role=attempt.role.value,
            authority=attempt.authority,
            purpose=attempt.purpose,
            child_id=attempt.child_id,
            child=child,
            form=_FORMS.get(attempt.form, envelope.FORM),
            revision=attempt.revision,
            agency_name=attempt.agency_name,
            about=self._about(attempt, child),
        )

    def _child(self, attempt: Attempt) -> dict[str, object] | None:
        """Whole, its reference alone for a withdrawal, or nothing."""
        if attempt.copy is None:
            return None if attempt.cause is None else {}
        return self._open(attempt, attempt.copy)

    def _about(self, attempt: Attempt, child: dict[str, object] | None) -> dict[str, object]:
        about: dict[str, object] = {}
        if attempt.cause is not None:
            about["withdrawal"] = {"cause": attempt.cause}
        if attempt.recalls is not None:
            about["recall"] = {"notice_id": attempt.recalls}
        if attempt.part is not None:
            about |= self._open(attempt, attempt.part)
        if attempt.before is not None and child is not None:
            changed = changes(self._open(attempt, attempt.before), child)
            about |= {"changes": changed} if changed else {}
        return about

    def _open(self, attempt: Attempt, copy: SealedCopy) -> dict[str, object]:
        try:
            return open_copy(
                self._sealer, copy.key, attempt.child_id, copy.version, copy.profile, copy.sealed
            )
        except Unsealable:
            raise CannotPrepare(Obstacle.UNSEALABLE) from None
