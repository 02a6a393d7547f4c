"""The blind index: what must be found again and must not lie in clear, hashed under a key."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.intake.matching.names import Trait
from shared.runtime import keys


@dataclass(frozen=True, slots=True, repr=False)
class BlindIndex:
    """HMAC-SHA256 under two keys, because they may not be lost alike.

    What a child is compared by is made again from the documents under the highest version of
    `matching`, and the older ones are then destroyed. A conflict of interest is not made again, and
    would be forgotten with its key; so cases and conflicts lie under `lasting`, of which every
    version stays in use.
    """

    matching: Mapping[int, bytes]
    lasting: Mapping[int, bytes]

    @classmethod
    def load(cls, directory: Path) -> "BlindIndex":
        """Read `matching-N.key` and `idempotency-N.key`. Raises Misconfigured."""
        return cls(
            keys.load_versions(directory, "matching"),
            keys.load_versions(directory, "idempotency"),
        )

    @property
    def current(self) -> int:
        return max(self.matching)

    def digest(self, trait: Trait) -> bytes:
        """The same for the same trait of any child; says nothing to whoever lacks the key."""
        return _digest(self.matching[self.current], trait.kind, *trait.parts)

    def case(self, number: str) -> tuple[bytes, ...]:
        """A case, however its number was spaced, hyphenated or capitalised; none for a number of
        signs alone. Under every version, the current one first."""
        plain = "".join(each for each in number.upper() if each.isalnum())
        return self._lasting("case", plain) if plain else ()

    def person(self, referral_id: str, subject: str) -> tuple[bytes, ...]:
        """A person in one referral: in another one the same person has another index."""
        return self._lasting("person", referral_id, subject)

    def _lasting(self, *parts: str) -> tuple[bytes, ...]:
        versions = sorted(self.lasting, reverse=True)
        return tuple(_digest(self.lasting[each], *parts) for each in versions)


def _digest(key: bytes, *parts: str) -> bytes:
    """The parts with a NUL between, which no Idempotency-Key and no JSON body holds."""
    return hmac.digest(key, "\0".join(parts).encode(), "sha256")
