"""The envelope of a notice: its form as JSON, padded, encrypted to one agency (JWE, RFC 7516).

The form's shape is published: `services.notify.forms.schemas`, and docs/partners.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from joserfc import jwe
from joserfc.jwa import JWEEncModel, JWEKeyAgreement
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter
from pydantic_core import from_json, to_json

from services.notify.forms.kinds import permitted

FORM = "DCF-737"
FORM_VERSION = "2026-1"
CONTENT_TYPE = "application/jose"
PADDED_TO = 4096
"""The plaintext's length is a multiple of this many bytes, so that size says little."""

CONFIDENTIALITY = (
    "CONFIDENTIAL. Records of the Connecticut Department of Children and Families and information "
    "relative to child abuse, wherever located, are confidential by law (Conn. Gen. Stat. "
    "§§ 17a-28(b) and 17a-101k(a)). For the addressee named here only, for the stated purpose."
)
REDISCLOSURE = (
    "Do not disclose any of this further without written consent, a court order, or authority of "
    "law (Conn. Gen. Stat. § 17a-28). Unauthorized disclosure may be punished by fine or "
    "imprisonment."
)

REGISTRY = jwe.JWERegistry(
    header_registry={
        "aud": HeaderParameter("Audience: the agency's id", "str"),
        "iat": HeaderParameter("Issued at, in seconds", "int"),
        "jti": HeaderParameter("The notice's id, stable over retries", "str"),
    },
    algorithms=["ECDH-ES", "A256GCM"],
)


def _algorithms() -> tuple[JWEKeyAgreement, JWEEncModel]:
    agreement, cipher = REGISTRY.get_alg("ECDH-ES"), REGISTRY.get_enc("A256GCM")
    assert isinstance(agreement, JWEKeyAgreement)
    return agreement, cipher


_AGREEMENT, _CIPHER = _algorithms()


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says about itself. `child` is None for a supersession, which has no content.

    `about`: what its kind is about, under the form's own names: `changes`, `withdrawal`, `recall`,
    `consult`, `related`, and a DCF-823's `incident`.
    """

    notice_id: str
    kind: str
    version: int
    supersedes: int | None
    referral_number: str
    trigger: str
    received_at: datetime
    agency_id: str
    role: str
    authority: str
    purpose: str
    child_id: str
    child: Mapping[str, object] | None
    form: str = FORM
    revision: int = 0
    agency_name: str | None = None
    about: Mapping[str, object] = field(default_factory=dict)


def plaintext(notice: Notice) -> bytes:
    """The form as UTF-8 JSON, its length a multiple of PADDED_TO.

    Nobody's reporter, siblings or fellow recipients are in it, whatever the copy holds.
    """
    recipient = {"agency_id": notice.agency_id, "role": notice.role}
    form: dict[str, object] = {
        "form": notice.form,
        "form_version": FORM_VERSION,
        "notice_id": notice.notice_id,
        "kind": notice.kind,
        "version": notice.version,
        "supersedes": notice.supersedes,
        "referral_number": notice.referral_number,
        "trigger": notice.trigger,
        "received_at": notice.received_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "recipient": recipient,
        "authority": notice.authority,
        "purpose": notice.purpose,
        "confidentiality": CONFIDENTIALITY,
        "redisclosure": REDISCLOSURE,
    }
    if notice.agency_name is not None:
        form["recipient"] = {**recipient, "name": notice.agency_name}
    if notice.revision:
        form["revision"] = notice.revision
    if notice.about:
        form.update(permitted(notice.about))
    if notice.child is not None:
        form["child"] = {**permitted(notice.child), "child_id": notice.child_id}
    form["padding"] = ""
    encoded = to_json(form)
    # The padding is the last member: it goes before the closing quote and brace.
    return encoded[:-2] + b"0" * (-len(encoded) % PADDED_TO) + encoded[-2:]


def encrypt(
    content: bytes, agency_id: str, public_key: Mapping[str, object], notice_id: str, at: datetime
) -> bytes:
    """A compact JWE that only the holder of the agency's P-256 key can open.

    The protected header says for whom (`aud`), which notice (`jti`) and since when (`iat`).
    Raises joserfc.errors.JoseError or ValueError when `public_key` is no P-256 key.

    As `jwe.encrypt_compact` does it, but for what that asks of header and key at each call, which
    is the same for every letter: a quarter of its time.
    """
    key, kid = _imported(to_json(public_key))
    header = {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "typ": "dcf-737+jwe",
        "kid": kid,
        "aud": agency_id,
        "iat": int(at.timestamp()),
        "jti": notice_id,
    }
    recipient = jwe.Recipient(jwe.CompactEncryption(header), recipient_key=key)
    _AGREEMENT.prepare_ephemeral_key(recipient)  # It is in the header from here on.
    agreed = _AGREEMENT.encrypt_agreed_upon_key(_CIPHER, recipient)
    protected, iv = _base64(to_json(header)), _CIPHER.generate_iv()
    ciphertext, tag = _CIPHER.encrypt(content, agreed, iv, protected)
    return b".".join((protected, b"", _base64(iv), _base64(ciphertext), _base64(tag)))


def _base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


@lru_cache(maxsize=1024)
def _imported(public_key: bytes) -> tuple[ECKey, str]:
    """The key, and its name in headers."""
    key = ECKey.import_key(from_json(public_key))
    if key.curve_name != "P-256":
        raise ValueError("an agency's key must be on P-256")
    key.check_use("enc")
    return key, key.kid or key.thumbprint()
