"""The envelope, opened by receivers that share no code with the sender."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from services.notify.delivery.envelope import (
    CONFIDENTIALITY,
    PADDED_TO,
    REDISCLOSURE,
    Notice,
    encrypt,
    plaintext,
)
from services.notify.forms.kinds import NEVER

AGENCY = "agy_" + "a" * 32
NOTICE = "ntc_" + "b" * 32
CHILD = "chd_" + "c" * 32
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", {"kid": "agency-2026"})
PUBLIC: dict[str, Any] = dict(KEY.as_dict(private=False))


def _notice(child: dict[str, object] | None) -> Notice:
    return Notice(
        notice_id=NOTICE,
        kind="original",
        version=1,
        supersedes=None,
        referral_number="HL-TEST-0001",
        trigger="careline",
        received_at=AT,
        agency_id=AGENCY,
        role="fbi",
        authority="CGS 17a-28",
        purpose="Investigate alleged trafficking",
        child_id=CHILD,
        child=child,
    )


def _header(compact: bytes) -> dict[str, Any]:
    part = compact.split(b".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + b"=="))
    return header


def _open(compact: bytes, key: ECKey = KEY) -> bytes:
    """A receiver with plain joserfc: only the algorithms are named, and a large notice allowed."""
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
    registry.max_ciphertext_length = 8 * 1024 * 1024
    opened = jwe.decrypt_compact(compact, key, registry=registry).plaintext
    assert opened is not None
    return opened


def _open_by_hand(compact: bytes, private: ec.EllipticCurvePrivateKey) -> bytes:
    """A receiver with nothing but primitives: RFC 7516 and RFC 7518 section 4.6."""
    header, encrypted_key, iv, ciphertext, tag = compact.split(b".")
    assert encrypted_key == b""
    epk = _header(compact)["epk"]
    x, y = (int.from_bytes(_unb64(epk[name].encode()), "big") for name in ("x", "y"))
    peer = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    other_info = (
        (7).to_bytes(4, "big")
        + b"A256GCM"
        + (0).to_bytes(4, "big")
        + (0).to_bytes(4, "big")
        + (256).to_bytes(4, "big")
    )
    kdf = ConcatKDFHash(hashes.SHA256(), 32, other_info)
    shared = kdf.derive(private.exchange(ec.ECDH(), peer))
    return AESGCM(shared).decrypt(_unb64(iv), _unb64(ciphertext) + _unb64(tag), header)


def _unb64(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def test_the_form_says_what_it_is_for_whom_and_by_what_right() -> None:
    form = json.loads(plaintext(_notice({"name": "Test Child One"})))
    del form["padding"]
    assert form == {
        "form": "DCF-737",
        "form_version": "2026-1",
        "notice_id": NOTICE,
        "kind": "original",
        "version": 1,
        "supersedes": None,
        "referral_number": "HL-TEST-0001",
        "trigger": "careline",
        "received_at": "2026-11-23T12:00:00Z",
        "recipient": {"agency_id": AGENCY, "role": "fbi"},
        "authority": "CGS 17a-28",
        "purpose": "Investigate alleged trafficking",
        "confidentiality": CONFIDENTIALITY,
        "redisclosure": REDISCLOSURE,
        "child": {"name": "Test Child One", "child_id": CHILD},
    }


def test_a_supersession_has_no_content() -> None:
    """P8: it says "outdated", and nothing of the child, not even which."""
    content = plaintext(_notice(None))
    assert "child" not in json.loads(content)
    assert CHILD.encode() not in content


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=9000), max_size=4))
def test_size_says_little_and_the_text_survives(child: dict[str, str]) -> None:
    child = {key: value for key, value in child.items() if key not in {"child_id", *NEVER}}
    content = plaintext(_notice(dict(child)))
    assert len(content) % PADDED_TO == 0
    assert json.loads(content)["child"] == {**child, "child_id": CHILD}


def test_the_form_is_written_as_compact_json_with_every_letter_as_itself() -> None:
    child = {
        "name": 'Test Ünit \u2028\x7f\x00\\ "q" 😀',
        "age_years": 9,
        "venues": ["a", None, True],
    }
    content = plaintext(_notice({**child, "parents": [{"name": "Example Parent"}]}))
    form = json.loads(content)
    assert content == json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_protected_header_says_for_whom_which_and_since_when() -> None:
    header = _header(encrypt(b"x", AGENCY, PUBLIC, NOTICE, AT))
    assert header.pop("epk")["crv"] == "P-256"
    assert header == {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "typ": "dcf-737+jwe",
        "kid": "agency-2026",
        "aud": AGENCY,
        "iat": 1795435200,
        "jti": NOTICE,
    }


def test_plain_joserfc_opens_it_also_past_its_default_limit() -> None:
    content = plaintext(_notice({"reasons_for_suspicion": "x" * 200_000}))
    assert _open(encrypt(content, AGENCY, PUBLIC, NOTICE, AT)) == content


def test_bare_primitives_open_it() -> None:
    content = plaintext(_notice({"name": "Test Child Öne"}))
    private = KEY.get_private_key() if hasattr(KEY, "get_private_key") else KEY.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert _open_by_hand(encrypt(content, AGENCY, PUBLIC, NOTICE, AT), private) == content


def test_two_envelopes_of_one_notice_share_nothing() -> None:
    first, second = (encrypt(b"same", AGENCY, PUBLIC, NOTICE, AT) for _ in range(2))
    assert not set(first.split(b".")) & set(second.split(b".")) - {b""}


def test_another_agency_cannot_open_it() -> None:
    sealed = encrypt(b"x", AGENCY, PUBLIC, NOTICE, AT)
    with pytest.raises((JoseError, InvalidTag)):
        _open(sealed, ECKey.generate_key("P-256"))


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_tampering_with_any_part_is_refused(part: int) -> None:
    parts = encrypt(b"x" * 100, AGENCY, PUBLIC, NOTICE, AT).split(b".")
    if part == 0:
        changed = {**_header(b".".join(parts)), "aud": "agy_" + "f" * 32}
        parts[0] = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=")
    else:
        raw = bytearray(_unb64(parts[part]))
        raw[0] ^= 1
        parts[part] = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=")
    with pytest.raises((JoseError, InvalidTag)):
        _open(b".".join(parts))


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"kty": "oct", "k": "AAAA"},
        dict(ECKey.generate_key("P-384").as_dict(private=False)),
        {**PUBLIC, "x": "AAAA"},
        {**PUBLIC, "use": "sig"},
        {**PUBLIC, "key_ops": ["encrypt"]},
        {**PUBLIC, "kid": 7},
    ],
)
def test_only_a_p256_key_for_encryption_is_encrypted_to(key: dict[str, Any]) -> None:
    with pytest.raises((JoseError, ValueError, KeyError)):
        encrypt(b"x", AGENCY, key, NOTICE, AT)
