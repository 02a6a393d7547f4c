"""What stands on intake's own keys, all in one directory."""

from dataclasses import dataclass
from pathlib import Path

from services.intake.blind import BlindIndex
from services.intake.digests import Digests
from services.intake.statistics.pseudonyms import Pseudonyms
from services.intake.vault import Vault
from shared.runtime.sealing import Keyring, Sealer


@dataclass(frozen=True, slots=True, repr=False)
class Keyed:
    """Each has keys of its own, so that one can be renewed, or read by a thief, without another."""

    vault: Vault
    digests: Digests
    blind: BlindIndex
    pseudonyms: Pseudonyms

    @classmethod
    def load(cls, directory: Path) -> "Keyed":
        """Raises Misconfigured."""
        return cls(
            Vault(Sealer(Keyring.load(directory))),
            Digests.load(directory),
            BlindIndex.load(directory),
            Pseudonyms.load(directory),
        )
