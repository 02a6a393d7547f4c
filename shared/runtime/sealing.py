"""Sealing at rest: a versioned KEK wraps one key per child, which seals that child's documents.

KEK → (AES-KW, RFC 3394) → data key → (AES-256-GCM) → document. Rotating the KEK re-wraps the
data keys and touches no document; losing a data key shreds what it sealed.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from shared.runtime import keys
from shared.runtime.errors import Gone, Permanent

_FORMAT = b"\x01"
_NONCE = 12
_TAG = 16


class Unsealable(Permanent):
    """It cannot be opened: changed, moved to another row, or its key is gone."""


class Shredded(Unsealable, Gone):
    """Its key was destroyed on purpose: nobody opens it, or seals under it, ever again."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it may lie in a table. `version` is the data key's own; rotation of the KEK
    changes only `kek_version` and `wrapped`."""

    kek_version: int
    wrapped: bytes
    """Empty once it was destroyed."""
    version: int = 1

    @property
    def shredded(self) -> bool:
        return not self.wrapped


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Every KEK of a service by version; the highest wraps what is new."""

    keks: Mapping[int, bytes]

    @classmethod
    def load(cls, directory: Path) -> "Keyring":
        """Read `kek-1.key`, `kek-2.key`, … Raises Misconfigured with a sentence."""
        return cls(keys.load_versions(directory, "kek"))

    @property
    def current(self) -> int:
        return max(self.keks)


class Sealer:
    """Seals and opens one service's documents. Holds no data key longer than a call."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    @property
    def current(self) -> int:
        """The version of the KEK that wraps what is new."""
        return self._keyring.current

    def new_key(self) -> WrappedKey:
        """A fresh data key, wrapped by the current KEK."""
        return self._wrap(AESGCM.generate_key(256), version=1)

    def seal(self, key: WrappedKey, table: str, row: str, plaintext: bytes) -> bytes:
        """Encrypt for exactly this table and row: moved elsewhere it no longer opens."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._unwrap(key)).encrypt(nonce, plaintext, _bound(key, table, row))
        return _FORMAT + nonce + sealed

    def open(self, key: WrappedKey, table: str, row: str, sealed: bytes) -> bytes:
        """Decrypt, or raise Unsealable."""
        if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE + _TAG:
            raise Unsealable("not a sealed document")
        nonce, ciphertext = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            return AESGCM(self._unwrap(key)).decrypt(nonce, ciphertext, _bound(key, table, row))
        except InvalidTag:
            raise Unsealable("changed, or sealed for another row or under another key") from None

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key under the current KEK. Documents stay as they are."""
        return self._wrap(self._unwrap(key), version=key.version)

    def _wrap(self, data_key: bytes, version: int) -> WrappedKey:
        current = self._keyring.current
        return WrappedKey(current, aes_key_wrap(self._keyring.keks[current], data_key), version)

    def _unwrap(self, key: WrappedKey) -> bytes:
        if key.shredded:
            raise Shredded("its key was destroyed")
        kek = self._keyring.keks.get(key.kek_version)
        if kek is None:
            raise Unsealable(f"kek-{key.kek_version}.key is not in the key directory")
        try:
            return aes_key_unwrap(kek, key.wrapped)
        except InvalidUnwrap:
            raise Unsealable("the data key does not unwrap under its KEK") from None


def _bound(key: WrappedKey, table: str, row: str) -> bytes:
    """The associated data, each part with its length, so that no two rows share it."""
    parts = (_FORMAT, table.encode(), row.encode(), str(key.version).encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
