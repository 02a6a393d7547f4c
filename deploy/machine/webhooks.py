"""What a receiver of Hartline's notices does: verify, open, check. Imports nothing of notify.

docs/partners.md says the same in words; an agency may take this file as a model.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

TOLERANCE_SECONDS = 300
CONTENT_TYPE = "application/jose"
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """A notice that is authentic, fresh, and for this agency."""

    notice_id: str
    form: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be trusted. `status` is the HTTP answer that the sender gets."""

    status: int
    reason: str


def parse_public_key(text: str) -> Ed25519PublicKey:
    """A sender's key as Standard Webhooks spells it: `whpk_…`."""
    encoded = text.removeprefix("whpk_")
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    return Ed25519PublicKey.from_public_bytes(raw)


def open_notice(
    headers: Mapping[str, str],
    body: bytes,
    agency_id: str,
    key: ECKey,
    senders: Sequence[Ed25519PublicKey],
    now: float,
) -> Opened | Refused:
    """Verify the signature over the bytes received, then decrypt, then check whom it is for."""
    if len(body) > _LARGEST:
        return Refused(413, "too large")
    if headers.get("content-type") != CONTENT_TYPE:
        return Refused(415, "not application/jose")
    if problem := _signature_problem(headers, body, senders, now):
        return Refused(401, problem)
    try:
        opened = _decrypt(body, key)
        form = json.loads(opened.plaintext or b"")
    except (JoseError, ValueError) as error:
        return Refused(400, f"cannot be opened ({type(error).__name__})")
    header, notice_id = opened.protected, headers["webhook-id"]
    if header.get("aud") != agency_id or form["recipient"]["agency_id"] != agency_id:
        return Refused(403, "for somebody else")
    if header.get("jti") != notice_id or form["notice_id"] != notice_id:
        return Refused(400, "its ids differ")
    return Opened(notice_id, form)


def _decrypt(body: bytes, key: ECKey) -> jwe.CompactEncryption:
    registry = jwe.JWERegistry(
        header_registry={
            "aud": HeaderParameter("Audience", "str", True),
            "iat": HeaderParameter("Issued at", "int", True),
            "jti": HeaderParameter("Notice id", "str", True),
        },
        algorithms=["ECDH-ES", "A256GCM"],
    )
    registry.max_ciphertext_length = _LARGEST
    return jwe.decrypt_compact(body, key, registry=registry)


def _signature_problem(
    headers: Mapping[str, str], body: bytes, senders: Sequence[Ed25519PublicKey], now: float
) -> str | None:
    """Standard Webhooks 1.0, asymmetric: any `v1a` signature by a key that we know."""
    notice_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not notice_id or not timestamp.isdecimal():
        return "webhook-id or webhook-timestamp is missing"
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is too far from now"
    content = b".".join((notice_id.encode(), timestamp.encode(), body))
    for signature in headers.get("webhook-signature", "").split():
        version, _, encoded = signature.partition(",")
        if version == "v1a" and any(_signed(key, encoded, content) for key in senders):
            return None
    return "no signature by a known key"


def _signed(key: Ed25519PublicKey, encoded: str, content: bytes) -> bool:
    try:
        key.verify(base64.b64decode(encoded, validate=True), content)
    except (InvalidSignature, binascii.Error):
        return False
    return True
