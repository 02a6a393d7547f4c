"""Blind indexes: a case number or a conflict is found again by a keyed digest, never in clear."""

from services.intake.digests import Digests


class Blind:
    """Digests under every version of intake's key, the current one first.

    Each begins with its own word and a NUL, which no Idempotency-Key and no JSON body holds.
    """

    def __init__(self, digests: Digests) -> None:
        self._digests = digests

    def case(self, number: str) -> tuple[bytes, ...]:
        """A case, however its number was spaced, hyphenated or capitalised."""
        plain = "".join(each for each in number.upper() if each.isalnum())
        return self._digests.request(b"case\0" + plain.encode())

    def person(self, referral_id: str, subject: str) -> tuple[bytes, ...]:
        """A person in one referral: in another one the same person has another index."""
        return self._digests.request(f"person\0{referral_id}\0{subject}".encode())
