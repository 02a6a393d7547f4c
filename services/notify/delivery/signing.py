"""Standard Webhooks 1.0 signatures over the bytes sent.

signed content   webhook-id "." webhook-timestamp "." body
v1a              Ed25519, with the key that `whpk_` verifies
v1               HMAC-SHA256, beside it, where an agency has a `whsec_` secret
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.runtime import keys
from shared.runtime.errors import Misconfigured

_SEED = 32
_SIGNED = ("webhook-id", "webhook-timestamp")


class Signer:
    """Signs with every key given, so that receivers may hold the old or the new one of a rotation.

    Once every receiver has the new key, the old file is removed.
    """

    def __init__(self, signing_keys: Sequence[Ed25519PrivateKey]) -> None:
        self._keys = tuple(signing_keys)

    @classmethod
    def load(cls, directory: Path) -> "Signer":
        """Read `webhook-1.key`, `webhook-2.key`, … Raises Misconfigured with a sentence."""
        seeds = keys.load_versions(directory, "webhook").values()
        return cls([Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds])

    @property
    def public_keys(self) -> tuple[str, ...]:
        """What receivers verify with, oldest first, as `whpk_…`."""
        return tuple(_named("whpk_", key.public_key().public_bytes_raw()) for key in self._keys)

    def signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether one of these keys has signed it (`v1a`); how old it is, is not asked."""
        content = ".".join(headers.get(name, "") for name in _SIGNED).encode() + b"." + body
        for signature in headers.get("webhook-signature", "").split():
            version, _, encoded = signature.partition(",")
            if version == "v1a" and any(_verifies(key, encoded, content) for key in self._keys):
                return True
        return False

    def headers(
        self,
        webhook_id: str,
        at: datetime,
        body: bytes,
        secret: str | None = None,
        *,
        before: Sequence[str] = (),
    ) -> dict[str, str]:
        """The three headers of one attempt. `webhook_id` is stable over retries; `at` is not.

        With `secret` (`whsec_…`) a `v1` signature stands beside `v1a`; with `before`, the secrets
        before it in a rotation, others.
        """
        timestamp = str(int(at.timestamp()))
        content = b".".join((webhook_id.encode(), timestamp.encode(), body))
        signatures = [f"v1a,{_base64(key.sign(content))}" for key in self._keys]
        for each in (*(() if secret is None else (secret,)), *before):
            mac = hmac.digest(_unnamed("whsec_", each), content, hashlib.sha256)
            signatures.append(f"v1,{_base64(mac)}")
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signatures),
        }


def parse_secret_key(text: str) -> Ed25519PrivateKey:
    """A `whsk_` key: base64 of the 32-byte seed, alone or with the public key after it.

    Raises Misconfigured, showing nothing of it.
    """
    raw = _unnamed("whsk_", text)
    if len(raw) not in (_SEED, 2 * _SEED):
        raise Misconfigured("A whsk_ key holds 32 bytes, or 64 with its public key.")
    key = Ed25519PrivateKey.from_private_bytes(raw[:_SEED])
    if raw[_SEED:] not in (b"", key.public_key().public_bytes_raw()):
        raise Misconfigured("A whsk_ key's public half does not belong to its secret half.")
    return key


def secret_key(key: Ed25519PrivateKey) -> str:
    """The key as `whsk_…`, seed and public key, as other Standard Webhooks senders read it."""
    return _named("whsk_", key.private_bytes_raw() + key.public_key().public_bytes_raw())


def _verifies(key: Ed25519PrivateKey, encoded: str, content: bytes) -> bool:
    try:
        key.public_key().verify(base64.b64decode(encoded, validate=True), content)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _named(prefix: str, raw: bytes) -> str:
    return prefix + _base64(raw)


def _unnamed(prefix: str, text: str) -> bytes:
    if not text.startswith(prefix):
        raise Misconfigured(f"A Standard Webhooks key of this kind begins with {prefix}")
    encoded = text[len(prefix) :]
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise Misconfigured(f"What follows {prefix} must be base64.") from None


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
