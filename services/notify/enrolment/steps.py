"""An enrolment from invitation to go-live: who may do what next. Pure.

invited → submitted (endpoint and key, with the code) → proved (the endpoint opened a challenge)
→ confirmed (another person had the fingerprint read to them) → tested → proposed to the directory.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

VALID_FOR = timedelta(days=7)
WHOLE = timedelta(days=30)
"""From the invitation to the proposal. A key that was shown once must not go live a year later."""
MOST_WRONG_CODES = 5
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE = 20
"""Characters of a code: 98 random bits, without those that are read as others."""


class Step(StrEnum):
    INVITED = "invited"
    SUBMITTED = "submitted"
    PROVED = "proved"
    CONFIRMED = "confirmed"
    TESTED = "tested"
    PROPOSED = "proposed"
    ENDED = "ended"
    """By a person, by its time, or by too many wrong codes."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    enrolment_id: str
    agency_id: str
    code_hash: str | None
    expires_at: datetime
    wrong_codes: int
    invited_by: str
    invited_at: datetime
    submitted_by: str | None
    submitted_at: datetime | None
    endpoint: str | None
    encryption_key: dict[str, Any] | None
    thumbprint: str | None
    proved_at: datetime | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    tested_at: datetime | None
    proposal_id: str | None
    ended_by: str | None
    ended_at: datetime | None

    def step(self, now: datetime) -> Step:
        if self.ended_at is not None:
            return Step.ENDED
        if self.proposal_id is not None:
            return Step.PROPOSED
        if now >= self.invited_at + WHOLE:
            return Step.ENDED
        for reached, step in (
            (self.tested_at, Step.TESTED),
            (self.confirmed_at, Step.CONFIRMED),
            (self.proved_at, Step.PROVED),
            (self.submitted_at, Step.SUBMITTED),
        ):
            if reached is not None:
                return step
        spent = now >= self.expires_at or self.wrong_codes >= MOST_WRONG_CODES
        return Step.ENDED if spent else Step.INVITED

    def opened_by(self, code: str, now: datetime) -> bool:
        """Whether that is the code, still unused, in its time, and not guessed at too often."""
        return (
            self.step(now) is Step.INVITED
            and self.code_hash is not None
            and hmac.compare_digest(self.code_hash, hash_of(code))
        )

    def matches(self, fingerprint: str) -> bool:
        """Whether it is the key's, as somebody reads it over the telephone: spaces do not count."""
        said = "".join(fingerprint.split())
        return self.thumbprint is not None and hmac.compare_digest(
            said.encode(), self.thumbprint.encode()
        )


def new_code() -> str:
    """To be told once, to the agency alone: `ABCDE-FGHJK-MNPQR-STVWX`."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE))
    return "-".join(letters[place : place + 5] for place in range(0, _CODE, 5))


def hash_of(code: str) -> str:
    """What is kept of it. However it was typed: capitals, hyphens and spaces do not count."""
    letters = "".join(each for each in code.upper() if each.isalnum())
    return hashlib.sha256(letters.encode()).hexdigest()
