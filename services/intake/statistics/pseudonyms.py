"""Keys of the coded facts: keyed digests, so that the table alone links to nobody."""

import hmac
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from shared.runtime import keys

LENGTH = 16


@dataclass(frozen=True, slots=True, repr=False)
class Pseudonyms:
    """HMAC-SHA256, cut to 128 bits, under the statistics key of the highest version."""

    key: bytes

    @classmethod
    def load(cls, directory: Path) -> "Pseudonyms":
        """Read `statistics-N.key`. Raises Misconfigured."""
        versions = keys.load_versions(directory, "statistics")
        return cls(versions[max(versions)])

    def child(self, child_id: str) -> bytes:
        """Of one child in one referral."""
        return self._of("child", child_id)

    def referral(self, referral_id: str) -> bytes:
        return self._of("referral", referral_id)

    def person(self, person_id: str) -> bytes:
        """Of one child, in however many referrals."""
        return self._of("person", person_id)

    def facility(self, name: str) -> bytes:
        """A blind index: the same for the same name, however it was spaced and spelled in case."""
        folded = unicodedata.normalize("NFKC", name).casefold()
        return self._of("facility", " ".join(re.findall(r"\w+", folded)))

    def town(self, name: str) -> str:
        """What a town is called in the tables, in hex: with one victim, a town is a name."""
        return self._of("town", name).hex()

    def _of(self, kind: str, what: str) -> bytes:
        return hmac.digest(self.key, f"{kind}\0{what}".encode(), "sha256")[:LENGTH]
