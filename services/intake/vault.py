"""Documents in and out of their seals: one per child and version, under that child's own key."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.intake import documents
from services.intake.records import SealedChild, StoredChild
from services.intake.referrals import Identified
from services.intake.schemas import AmendedReferral, NewReferral
from shared.runtime.errors import Gone
from shared.runtime.sealing import Sealer, WrappedKey


class Vault:
    """Seals a referral's children, each for its own row, and opens them again."""

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer
        """For what is sealed beside a child's documents."""

    def seal(
        self,
        referral: NewReferral | AmendedReferral,
        children: Sequence[Identified],
        version: int,
        known: Mapping[str, WrappedKey],
    ) -> list[SealedChild]:
        """Every child's document in this version. A child without a known key gets a new one."""
        sealed = []
        for child_id, child in children:
            key = known.get(child_id) or self.sealer.new_key()
            row, plain = documents.row(child_id, version), documents.write(referral, child)
            document = self.sealer.seal(key, documents.TABLE, row, plain)
            sealed.append(SealedChild(child_id, document, None if child_id in known else key))
        return sealed

    def open(
        self, children: Sequence[StoredChild], version: int
    ) -> list[tuple[str, dict[str, Any]]]:
        """Each child's id and document, in order. Raises Unsealable."""
        return [(child.child_id, self._open(child, version)) for child in children]

    def _open(self, child: StoredChild, version: int) -> dict[str, Any]:
        row = documents.row(child.child_id, version)
        return documents.read(self.sealer.open(child.key, documents.TABLE, row, child.sealed))


def readable(sealed: Sequence[StoredChild]) -> Sequence[StoredChild]:
    """The children whose content there still is. Raises Gone when there is none."""
    kept = [child for child in sealed if not child.key.shredded]
    if not kept:
        raise Gone("every child of it was shredded")
    return kept
