"""Keys that everybody knows: made of their names, the same on every machine. For vectors alone."""

import base64
import json
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def fixed_bytes(name: str) -> bytes:
    return sha256(f"Hartline test vector, known to everybody: {name}".encode()).digest()


def fixed_ec(name: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(fixed_bytes(name)), curve or ec.SECP256R1())


def _sender(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(fixed_bytes(name))


def _secret(name: str) -> str:
    return "whsec_" + base64.b64encode(fixed_bytes(name)).decode()


OLD_KEY, NEW_KEY, OTHER_KEY = fixed_ec("old key"), fixed_ec("new key"), fixed_ec("other key")
OLD_SENDER, NEW_SENDER, STRANGER = _sender("old sender"), _sender("new sender"), _sender("stranger")
OLD_SECRET, NEW_SECRET, STRANGER_SECRET = map(_secret, ("old", "new", "stranger"))


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk(key: ec.EllipticCurvePrivateKey, *, private: bool = False, kid: bool = True) -> Any:
    """The public half, unless `private`; its id is its fingerprint (RFC 7638)."""
    numbers = key.private_numbers()
    size = (key.curve.key_size + 7) // 8
    x, y, d = (
        base64url(number.to_bytes(size))
        for number in (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value)
    )
    crv = {"secp256r1": "P-256", "secp384r1": "P-384"}[key.curve.name]
    found = {"crv": crv, "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(found, separators=(",", ":"))
    if kid:
        found["kid"] = base64url(sha256(canonical.encode()).digest())
    return found | ({"d": d} if private else {})


def agreement(
    ephemeral: ec.EllipticCurvePrivateKey, public: ec.EllipticCurvePublicKey
) -> tuple[bytes, bytes]:
    """(shared secret, content key) of ECDH-ES for A256GCM (RFC 7518, 4.6.2), without a library."""
    shared = ephemeral.exchange(ec.ECDH(), public)
    info = b"\0\0\0\x07A256GCM" + b"\0\0\0\0" * 2 + (256).to_bytes(4)
    return shared, sha256(b"\0\0\0\x01" + shared + info).digest()


def sealed(
    header: dict[str, object],
    plaintext: bytes,
    name: str,
    public: ec.EllipticCurvePublicKey,
) -> bytes:
    """A JWE under any header at all; `epk` is added unless it says another."""
    ephemeral = fixed_ec(f"ephemeral {name}")
    _, content_key = agreement(ephemeral, public)
    said = {"epk": jwk(ephemeral, kid=False), **header}
    protected = base64url(json.dumps(said, separators=(",", ":")).encode())
    iv = fixed_bytes(f"iv {name}")[:12]
    both = AESGCM(content_key).encrypt(iv, plaintext, protected.encode())
    parts = (protected, "", base64url(iv), base64url(both[:-16]), base64url(both[-16:]))
    return ".".join(parts).encode()
