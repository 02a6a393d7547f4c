"""One child's copy for one profile, sealed under the child's own key."""

import json
from collections.abc import Mapping

from shared.runtime.sealing import Sealer, WrappedKey


def seal_copy(
    sealer: Sealer,
    key: WrappedKey,
    child_id: str,
    version: int,
    profile: str,
    copy: Mapping[str, object],
) -> bytes:
    """For `copies.sealed`: bound to this child, version and profile."""
    plaintext = json.dumps(copy, ensure_ascii=False, separators=(",", ":")).encode()
    return sealer.seal(key, "copies", _row(child_id, version, profile), plaintext)


def open_copy(
    sealer: Sealer, key: WrappedKey, child_id: str, version: int, profile: str, sealed: bytes
) -> dict[str, object]:
    """What `seal_copy` sealed. Raises Unsealable."""
    plaintext = sealer.open(key, "copies", _row(child_id, version, profile), sealed)
    copy: dict[str, object] = json.loads(plaintext)
    return copy


def _row(child_id: str, version: int, profile: str) -> str:
    return f"{child_id}/{version}/{profile}"
