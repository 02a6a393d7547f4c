"""Requests that a receiver must refuse, each with the reason, by which part of it is wrong."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from services.notify.delivery.envelope import CONTENT_TYPE
from services.notify.delivery.signing import Signer
from tests.support.fixed_keys import (
    NEW_SENDER,
    OLD_KEY,
    OLD_SENDER,
    OTHER_KEY,
    STRANGER,
    STRANGER_SECRET,
    base64url,
    fixed_ec,
    jwk,
    sealed,
)

Form = dict[str, Any]
_SIGNER = Signer([OLD_SENDER, NEW_SENDER])


def requests(form: Form, agency: str, at: datetime) -> list[dict[str, Any]]:
    return [
        *_of_the_signature(form, agency, at),
        *_of_the_envelope(form, agency, at),
        *_of_the_content(form, agency, at),
    ]


def only_v1(notice_id: str, at: datetime, body: bytes, secret: str) -> dict[str, str]:
    headers = _SIGNER.headers(notice_id, at, body, secret)
    return headers | {"webhook-signature": headers["webhook-signature"].split()[-1]}


def header_of(notice_id: str, agency: str, at: datetime) -> dict[str, object]:
    return {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "typ": "dcf-737+jwe",
        "kid": jwk(OLD_KEY)["kid"],
        "aud": agency,
        "iat": int(at.timestamp()),
        "jti": notice_id,
    }


def _vector(
    name: str,
    expect: str,
    at: datetime,
    headers: Mapping[str, str],
    body: bytes,
    seconds_later: int = 0,
) -> dict[str, Any]:
    return {
        "name": name,
        "why": "must be refused",
        "now": int(at.timestamp()) + seconds_later,
        "headers": {"content-type": CONTENT_TYPE, **headers},
        "body": body.decode(),
        "expect": expect,
    }


def _of_the_signature(form: Form, agency: str, at: datetime) -> Iterator[dict[str, Any]]:
    id_ = form["notice_id"]
    body = sealed(
        header_of(form["notice_id"], agency, at), _plain(form), "signature", OLD_KEY.public_key()
    )
    good = _SIGNER.headers(id_, at, body)
    signature = good["webhook-signature"]
    changed = body[:-9] + (b"A" if body[-9:-8] != b"A" else b"B") + body[-8:]
    yield _vector("tampered body", "signature", at, good, changed)
    yield _vector(
        "tampered signature", "signature", at, _but(good, signature=_flip(signature)), body
    )
    yield _vector("another id", "signature", at, good | {"webhook-id": "ntc_" + "0" * 32}, body)
    later = good | {"webhook-timestamp": str(int(at.timestamp()) + 1)}
    yield _vector("another time", "signature", at, later, body)
    yield _vector("no signature", "signature", at, _but(good, signature=""), body)
    yield _vector(
        "unknown sender", "signature", at, Signer([STRANGER]).headers(id_, at, body), body
    )
    yield _vector("unknown secret", "signature", at, only_v1(id_, at, body, STRANGER_SECRET), body)
    relabelled = signature.replace("v1a,", "v1,")
    yield _vector("v1a called v1", "signature", at, _but(good, signature=relabelled), body)
    yield _vector(
        "HMAC with our public key",
        "signature",
        at,
        _but(good, signature=_confused(good, body)),
        body,
    )
    yield _vector(
        "a version of a later year", "signature", at, _but(good, signature="v9,AAAA"), body
    )
    yield _vector("not base64", "signature", at, _but(good, signature="v1a,%%% v1a"), body)
    yield _vector("replayed after five minutes", "timestamp", at, good, body, 301)
    yield _vector("from the future", "timestamp", at, good, body, -301)
    yield _vector("no time", "timestamp", at, good | {"webhook-timestamp": "soon"}, body)
    path = "../../../etc/passwd"
    yield _vector("an id that is a path", "id", at, _SIGNER.headers(path, at, body), body)
    yield _vector("no id", "id", at, good | {"webhook-id": ""}, body)
    plain = good | {"content-type": "application/json"}
    yield _vector("another content type", "content_type", at, plain, body)


def _of_the_envelope(form: Form, agency: str, at: datetime) -> Iterator[dict[str, Any]]:
    """Signed well, and not to be opened."""
    header, plain, key = (
        header_of(form["notice_id"], agency, at),
        _plain(form),
        OLD_KEY.public_key(),
    )
    good = sealed(header, plain, "envelope", key)
    protected, _, iv, ciphertext, tag = good.decode().split(".")
    p384 = jwk(fixed_ec("p384", ec.SECP384R1()), kid=False)
    off = {**jwk(fixed_ec("off the curve"), kid=False), "y": base64url(b"\x01" * 32)}
    changes: dict[str, dict[str, object]] = {
        "alg none": {"alg": "none"},
        "alg dir": {"alg": "dir"},
        "alg RSA-OAEP": {"alg": "RSA-OAEP"},
        "alg ECDH-ES+A256KW": {"alg": "ECDH-ES+A256KW"},
        "enc A128GCM": {"enc": "A128GCM"},
        "enc A256CBC-HS512": {"enc": "A256CBC-HS512"},
        "compressed": {"zip": "DEF"},
        "a critical extension": {"crit": ["exp"], "exp": 1},
        "epk off the curve": {"epk": off},
        "epk on P-384": {"epk": p384},
        "epk missing": {"epk": {}},
    }
    bodies = {name: sealed(header | each, plain, name, key) for name, each in changes.items()}
    other = base64url(json.dumps({**header, "epk": _epk(protected), "aud": "agy_x"}).encode())
    bodies |= {
        "to a key that is not yours": sealed(header, plain, "other", OTHER_KEY.public_key()),
        "ciphertext changed, signed anew": _joined(protected, "", iv, "AAAA" + ciphertext[4:], tag),
        "tag changed, signed anew": _joined(protected, "", iv, ciphertext, "A" * 22),
        "tag shortened": _joined(protected, "", iv, ciphertext, tag[:11]),
        "header changed, signed anew": _joined(other, "", iv, ciphertext, tag),
        "with a wrapped key": _joined(protected, "AAAA", iv, ciphertext, tag),
        "four parts": _joined(protected, "", iv, ciphertext),
        "no JWE at all": b"hello",
        "in clear": plain,
    }
    for name, body in bodies.items():
        yield _vector(name, "jwe", at, _SIGNER.headers(form["notice_id"], at, body), body)


def _of_the_content(form: Form, agency: str, at: datetime) -> Iterator[dict[str, Any]]:
    """Opens, and is not what it should be."""
    header = header_of(form["notice_id"], agency, at)
    old = int((at - timedelta(hours=1)).timestamp())
    cases: dict[str, tuple[str, dict[str, object], bytes]] = {
        "for another agency": ("audience", {"aud": "agy_" + "9" * 32}, _plain(form)),
        "for nobody": ("audience", {"aud": None}, _plain(form)),
        "its form is another agency's": (
            "audience",
            {},
            _plain({**form, "recipient": {"agency_id": "agy_" + "9" * 32, "role": "fbi"}}),
        ),
        "encrypted an hour ago, signed now": ("issued_at", {"iat": old}, _plain(form)),
        "without a time of issue": ("issued_at", {"iat": None}, _plain(form)),
        "its header names another notice": ("ids_differ", {"jti": "ntc_" + "9" * 32}, _plain(form)),
        "its form is another notice": (
            "ids_differ",
            {},
            _plain({**form, "notice_id": "ntc_" + "9" * 32}),
        ),
        "not JSON inside": ("form", {}, b"hello"),
        "no form inside": ("form", {}, b'{"padding":""}'),
        "a recall of nothing": ("recall_names_no_notice", {}, _plain({**form, "kind": "recall"})),
        "a recall with an empty id": (
            "recall_names_no_notice",
            {},
            _plain({**form, "kind": "recall", "recall": {"notice_id": ""}}),
        ),
    }
    for name, (expect, change, plain) in cases.items():
        said = {key: value for key, value in (header | change).items() if value is not None}
        body = sealed(said, plain, name, OLD_KEY.public_key())
        yield _vector(name, expect, at, _SIGNER.headers(form["notice_id"], at, body), body)


def _plain(form: Form) -> bytes:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()


def _but(headers: Mapping[str, str], *, signature: str) -> dict[str, str]:
    return {**headers, "webhook-signature": signature}


def _flip(signatures: str) -> str:
    """Every one of them changed in one letter."""
    return " ".join(
        each[:20] + ("A" if each[20] != "A" else "B") + each[21:] for each in signatures.split()
    )


def _confused(headers: Mapping[str, str], body: bytes) -> str:
    """What a receiver would take that uses one list of keys for both kinds of signature."""
    public = OLD_SENDER.public_key().public_bytes_raw()
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(public, content, hashlib.sha256)).decode()


def _epk(protected: str) -> object:
    return json.loads(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))["epk"]


def _joined(*parts: str) -> bytes:
    return ".".join(parts).encode()
