"""Keyed digests: what must be recognised again and must not be guessable where it lies."""

import hmac
from collections.abc import Mapping
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

    def commit(self, content: bytes) -> str:
        """The commitment to a content that was shown, in hex."""
        return hmac.digest(self.commitment[max(self.commitment)], content, "sha256").hex()
