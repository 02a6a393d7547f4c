"""One child's copy for one profile, sealed under the child's own key."""

from collections.abc import Mapping

from pydantic_core import from_json, to_json

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
    return sealer.seal(key, "copies", _row(child_id, version, profile), to_json(copy))


def open_copy(
    sealer: Sealer, key: WrappedKey, child_id: str, version: int, profile: str, sealed: bytes
) -> dict[str, object]:
    """What `seal_copy` sealed. Raises Unsealable."""
    plaintext = sealer.open(key, "copies", _row(child_id, version, profile), sealed)
    # Names of fields may stay in memory for the next one; what stands in them may not.
    copy: dict[str, object] = from_json(plaintext, cache_strings="keys")
    return copy


def _row(child_id: str, version: int, profile: str) -> str:
    return f"{child_id}/{version}/{profile}"
