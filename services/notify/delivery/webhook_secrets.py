"""Symmetric `whsec_` secrets (Standard Webhooks `v1`), sealed at rest under a key of their own, and
the URLs of pagers likewise."""

import base64
import secrets

from shared.runtime.sealing import Sealer, Unsealable, WrappedKey

_TABLE = "webhook_secrets"
_BYTES = 32
_VERSION, _LENGTH = 4, 2


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def seal_secret(sealer: Sealer, owner: str, secret: str) -> bytes:
    """The wrapped key, then what it seals, for this agency only."""
    key = sealer.new_key()
    sealed = sealer.seal(key, _TABLE, owner, secret.encode())
    return _head(key) + key.wrapped + sealed


def open_secret(sealer: Sealer, owner: str, stored: bytes) -> str:
    """What `seal_secret` sealed. Raises Unsealable."""
    if len(stored) < _VERSION + _LENGTH:
        raise Unsealable("not a sealed secret")
    begin = _VERSION + _LENGTH
    end = begin + int.from_bytes(stored[_VERSION:begin], "big")
    key = WrappedKey(int.from_bytes(stored[:_VERSION], "big"), stored[begin:end])
    return sealer.open(key, _TABLE, owner, stored[end:]).decode()


def kek_of(stored: bytes) -> int:
    """The version of the KEK by which the secret's key is wrapped."""
    return int.from_bytes(stored[:_VERSION], "big")


def rewrapped(sealer: Sealer, stored: bytes) -> bytes:
    """The same secret, its key wrapped by the current KEK. Raises Unsealable."""
    begin = _VERSION + _LENGTH
    end = begin + int.from_bytes(stored[_VERSION:begin], "big")
    key = sealer.rewrap(WrappedKey(kek_of(stored), stored[begin:end]))
    return _head(key) + key.wrapped + stored[end:]


def _head(key: WrappedKey) -> bytes:
    return key.kek_version.to_bytes(_VERSION, "big") + len(key.wrapped).to_bytes(_LENGTH, "big")
