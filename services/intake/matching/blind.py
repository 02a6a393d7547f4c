"""The blind index: what may be compared of a child, hashed under a key of its own."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.intake.matching.names import Trait
from shared.runtime import keys


@dataclass(frozen=True, slots=True, repr=False)
class BlindIndex:
    """HMAC-SHA256 under the highest version of the key; what lies there under a lower one is
    indexed again."""

    versions: Mapping[int, bytes]

    @classmethod
    def load(cls, directory: Path) -> "BlindIndex":
        """Read `matching-N.key`. Raises Misconfigured."""
        return cls(keys.load_versions(directory, "matching"))

    @property
    def current(self) -> int:
        return max(self.versions)

    def digest(self, trait: Trait) -> bytes:
        """The same for the same trait of any child; says nothing to whoever lacks the key."""
        text = "\0".join((trait.kind, *trait.parts)).encode()
        return hmac.digest(self.versions[self.current], text, "sha256")
