"""Keyed digests: what must be recognised again and must not be guessable where it lies."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.runtime import keys


@dataclass(frozen=True, slots=True, repr=False)
class Digests:
    """HMAC-SHA256 under intake's own keys, by version; the highest is current."""

    idempotency: Mapping[int, bytes]
    commitment: Mapping[int, bytes]

    @classmethod
    def load(cls, directory: Path) -> "Digests":
        """Read `idempotency-N.key` and `commitment-N.key`. Raises Misconfigured."""
        return cls(
            keys.load_versions(directory, "idempotency"),
            keys.load_versions(directory, "commitment"),
        )

    def request(self, part: bytes) -> tuple[bytes, ...]:
        """Digests of an Idempotency-Key or of a body, under the current key version first.

        A retry must be recognised after a rotation too, so the older versions stay in use.
        """
        versions = sorted(self.idempotency, reverse=True)
        return tuple(hmac.digest(self.idempotency[each], part, "sha256") for each in versions)

    def amendment(self, referral_id: str, key: str) -> tuple[bytes, ...]:
        """Digests of the Idempotency-Key of an amendment: one referral's, and no creation's."""
        return self.request(f"amend {referral_id} {key}".encode())

    def commit(self, content: bytes) -> str:
        """The commitment to a content that was shown, in hex."""
        return hmac.digest(self.commitment[max(self.commitment)], content, "sha256").hex()


def same_body(kept: bytes, given: Sequence[bytes]) -> bool:
    """Whether a body is the one that was kept, by its digests under every key version."""
    return any(hmac.compare_digest(kept, each) for each in given)
