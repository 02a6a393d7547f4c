"""What the store reads and writes: rows of intake, without SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.runtime.sealing import WrappedKey


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key and a body, as digests by every key version, the current one first."""

    key_digests: Sequence[bytes]
    body_digests: Sequence[bytes]
    answer: str


@dataclass(frozen=True, slots=True)
class SealedChild:
    """A child's document, and the key when the child is new."""

    child_id: str
    sealed: bytes
    new_key: WrappedKey | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a referral: what of it is not sealed."""

    referral_id: str
    number: str
    owner: str
    version: int
    change_id: str
    trigger: str
    synthetic: bool
    received_at: datetime
    recorded_at: datetime
    recorded_by: str
    child_ids: Sequence[str]
    backdated: bool = False


@dataclass(frozen=True, slots=True)
class StoredChild:
    """A child's document as it lies in the table, with what opens it."""

    child_id: str
    key: WrappedKey
    sealed: bytes


@dataclass(frozen=True, slots=True)
class View:
    """A read of a referral's content, recorded before it is answered (P2)."""

    disclosure_id: str
    referral_id: str
    version: int
    child_ids: Sequence[str]
    actor: str
    actor_kind: str
    authority: str
    purpose: str
    profiles: Sequence[str]
    fields: Sequence[str]
    commitment: str
    viewed_at: datetime
