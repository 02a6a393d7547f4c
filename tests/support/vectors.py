"""Makes the test vectors that are published for partners, the same bytes every time.

    python -m tests.support.vectors          writes docs/partners/vectors

Good requests are made by notify's own code, with fixed keys in place of its randomness. Bad ones
are made here, for notify cannot make them. Every key in them is public, so nothing else uses it.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from unittest.mock import patch

from joserfc.jwk import ECKey

from services.notify.delivery import envelope
from services.notify.delivery.signing import Signer, secret_key
from tests.support import bad_requests
from tests.support.bad_requests import header_of
from tests.support.fixed_keys import (
    NEW_KEY,
    NEW_SECRET,
    NEW_SENDER,
    OLD_KEY,
    OLD_SECRET,
    OLD_SENDER,
    STRANGER,
    agreement,
    fixed_bytes,
    fixed_ec,
    jwk,
    sealed,
)
from tests.support.forms import EXAMPLES, PARTNERS, Form, example

FOLDER = PARTNERS / "vectors"
AT = datetime(2026, 11, 23, 14, 5, 2, tzinfo=UTC)
NOW = int(AT.timestamp())
AGENCY: str = example()["recipient"]["agency_id"]
RECEIVER = {
    "agency_id": AGENCY,
    "sender_keys": list(Signer([OLD_SENDER, NEW_SENDER]).public_keys),
    "shared_secrets": [OLD_SECRET, NEW_SECRET],
    "private_keys": [jwk(OLD_KEY, private=True), jwk(NEW_KEY, private=True)],
}
BOTH = Signer([OLD_SENDER, NEW_SENDER])
_ABOUT = ("changes", "withdrawal", "recall", "consult", "related", "incident")


def notice_of(form: Form) -> envelope.Notice:
    """What notify would have made that form of."""
    child = form.get("child")
    return envelope.Notice(
        notice_id=form["notice_id"],
        kind=form["kind"],
        version=form["version"],
        supersedes=form["supersedes"],
        referral_number=form["referral_number"],
        trigger=form["trigger"],
        received_at=datetime.fromisoformat(form["received_at"]),
        agency_id=AGENCY,
        role=form["recipient"]["role"],
        authority=form["authority"],
        purpose=form["purpose"],
        child_id="" if child is None else child["child_id"],
        child=child,
        form=form["form"],
        about={name: form[name] for name in _ABOUT if name in form},
    )


def body_of(form: Form, name: str, key: Any = OLD_KEY, at: datetime = AT) -> tuple[bytes, bytes]:
    """(plaintext, JWE), as notify's own code makes them but for the randomness."""
    notice = notice_of(form)
    plaintext = envelope.plaintext(notice)
    ephemeral = ECKey.import_key(jwk(fixed_ec(f"ephemeral {name}"), private=True, kid=False))
    with (
        patch("secrets.token_bytes", lambda size: fixed_bytes(f"iv {name}")[:size]),
        patch.object(ECKey, "generate_key", lambda *_, **__: ephemeral),
    ):
        body = envelope.encrypt(plaintext, AGENCY, jwk(key), notice.notice_id, at)
    return plaintext, body


def request(
    name: str, why: str, headers: Mapping[str, str], body: bytes, expect: str, now: int = NOW
) -> dict[str, Any]:
    return {
        "name": name,
        "why": why,
        "now": now,
        "headers": {"content-type": envelope.CONTENT_TYPE, **headers},
        "body": body.decode(),
        "expect": expect,
    }


def requests() -> list[dict[str, Any]]:
    """Of each: what arrives, and whether it is good (the SHA-256 of its plaintext) or why not."""
    return [*_kinds(), *_rotations(), *bad_requests.requests(example(), AGENCY, AT)]


def _kinds() -> Iterator[dict[str, Any]]:
    for path in EXAMPLES:
        name = path.stem
        form = example(name)
        plaintext, body = body_of(form, name)
        headers = BOTH.headers(form["notice_id"], AT, body)
        yield request(name, "as it is sent", headers, body, sha256(plaintext).hexdigest())
    plaintext = json.dumps({"kind": "challenge", "challenge": "c" * 43}).encode()
    body = sealed(header_of("chl_" + "1" * 32, AGENCY, AT), plaintext, "chl", OLD_KEY.public_key())
    why = 'answer {"challenge": …} with the value of the plaintext\'s member, and store nothing'
    headers = BOTH.headers("chl_" + "1" * 32, AT, body)
    yield request("a challenge", why, headers, body, sha256(plaintext).hexdigest())
    form = {**example(), "kind": "of_a_later_year"}
    plaintext, body = body_of(form, "later")
    headers = BOTH.headers(form["notice_id"], AT, body)
    why = "a kind that you do not know yet: keep it, and let a person read it"
    yield request("a kind of a later year", why, headers, body, sha256(plaintext).hexdigest())


def _rotations() -> Iterator[dict[str, Any]]:
    form = example()
    ours = {"our old key": OLD_KEY, "our new key": NEW_KEY}
    for name, key in ours.items():
        plaintext, body = body_of(form, name, key)
        headers = BOTH.headers(form["notice_id"], AT, body)
        yield request(f"to {name}", "you hold both for a while", headers, body, _hash(plaintext))
    plaintext, body = body_of(form, "rotations")
    signed = {
        "by the old sender key alone": Signer([OLD_SENDER]).headers(form["notice_id"], AT, body),
        "by the new sender key alone": Signer([NEW_SENDER]).headers(form["notice_id"], AT, body),
        "by a stranger and a known one": Signer([STRANGER, NEW_SENDER]).headers(
            form["notice_id"], AT, body
        ),
        "v1 beside v1a": BOTH.headers(form["notice_id"], AT, body, NEW_SECRET),
        "v1 by the old secret alone": bad_requests.only_v1(form["notice_id"], AT, body, OLD_SECRET),
    }
    for name, headers in signed.items():
        yield request(name, "one that verifies is enough", headers, body, _hash(plaintext))
    headers = BOTH.headers(form["notice_id"], AT, body)
    for name, now in {"at the last second": NOW + 300, "of a clock ahead": NOW - 300}.items():
        yield request(name, "within five minutes", headers, body, _hash(plaintext), now)


def _hash(plaintext: bytes) -> str:
    return sha256(plaintext).hexdigest()


def signatures() -> list[dict[str, Any]]:
    """For those who verify with a library: what is signed, with which keys, to what."""
    found = []
    for name, body in {
        "JSON": b'{"test": 2432232314}',
        "not ASCII": '{"town":"Döner ✓"}'.encode(),
        "empty": b"",
        "a notice": body_of(example(), "signatures")[1],
    }.items():
        headers = BOTH.headers("ntc_" + "1" * 32, AT, body, NEW_SECRET)
        old, new, mac = headers["webhook-signature"].split()
        found.append(
            {
                "name": name,
                "webhook-id": headers["webhook-id"],
                "webhook-timestamp": headers["webhook-timestamp"],
                "body": body.decode(),
                "v1a": dict(zip(BOTH.public_keys, (old, new), strict=True)),
                "v1": {NEW_SECRET: mac},
            }
        )
    return found


def jwe() -> dict[str, Any]:
    """One JWE with everything on the way to it, for those who write the decryption themselves."""
    plaintext, body = body_of(example("dcf-737.supersession"), "jwe")
    ephemeral = fixed_ec("ephemeral jwe")
    shared, content_key = agreement(ephemeral, OLD_KEY.public_key())
    return {
        "private_key": jwk(OLD_KEY, private=True),
        "ephemeral_private_key": jwk(ephemeral, private=True, kid=False),
        "shared_secret_hex": shared.hex(),
        "content_key_hex": content_key.hex(),
        "jwe": body.decode(),
        "plaintext": plaintext.decode(),
    }


def standings() -> list[dict[str, Any]]:
    """What each notice is, when all of these have come, in whatever order."""
    original, correction = example(), example("dcf-737.correction")
    recall, withdrawal = example("dcf-737.recall"), example("dcf-737.withdrawal")
    consult, related = example("dcf-737.consult_outcome"), example("dcf-737.related_notice")
    incident = example("dcf-823.original")
    sibling = _as(original, "b", child={"child_id": "chd_" + "b" * 32})
    both = (original, sibling)
    away = {**example("dcf-737.supersession"), "version": 4, "supersedes": 3}
    cases: dict[str, tuple[tuple[Form, ...], tuple[str, ...]]] = {
        "one": ((original,), ("current",)),
        "corrected": ((original, correction), ("replaced", "current")),
        "two versions skipped": (
            (original, correction, _as(correction, "7", version=7)),
            ("replaced", "replaced", "current"),
        ),
        "another child is another thing": (
            (*both, correction),
            ("replaced", "current", "current"),
        ),
        "off the route": ((original, correction, away), ("replaced", "outdated", "message")),
        "off the route and on it again": (
            (correction, away, _as(correction, "5", version=5, supersedes=3)),
            ("replaced", "message", "current"),
        ),
        "withdrawn for one child": (
            (*both, {**withdrawal, "version": 2, "child": {"child_id": _child(original)}}),
            ("withdrawn", "current", "message"),
        ),
        "withdrawn as a whole": (
            (*both, {**_without_child(withdrawal), "version": 2}),
            ("withdrawn", "withdrawn", "message"),
        ),
        "withdrawn, and a correction comes late": (
            (original, {**withdrawal, "version": 2}, _as(correction, "5", version=5)),
            ("replaced", "message", "withdrawn"),
        ),
        "of one version the highest revision": (
            (incident, _as(incident, "r", kind="correction", revision=2)),
            ("replaced", "current"),
        ),
        "a later version without a revision": (
            (_as(incident, "r", revision=2), _as(incident, "s", kind="correction", version=9)),
            ("replaced", "current"),
        ),
        "consults are things of their own": (
            (consult, _as(consult, "k", version=9, consult={"consult_id": "another"})),
            ("current", "current"),
        ),
        "a consult told again": (
            (consult, _as(consult, "k", version=9)),
            ("replaced", "current"),
        ),
        "recalled": (
            (original, {**recall, "recall": {"notice_id": original["notice_id"]}}),
            ("recalled", "message"),
        ),
        "a recalled correction replaces nothing": (
            (original, correction, {**recall, "recall": {"notice_id": correction["notice_id"]}}),
            ("current", "recalled", "message"),
        ),
        "the outcome of a consult replaces no notice": (
            (original, {**consult, "version": 9}, related),
            ("current", "current", "message"),
        ),
        "a critical incident is a thing of its own": (
            (original, {**example("dcf-823.original"), "version": 9}),
            ("current", "current"),
        ),
        "a kind of a later year": (
            (original, _as(original, "9", kind="of_a_later_year", version=9)),
            ("current", "message"),
        ),
    }
    return [
        {
            "name": name,
            "notices": list(map(_brief, notices)),
            "expect": dict(zip((each["notice_id"] for each in notices), right, strict=True)),
        }
        for name, (notices, right) in cases.items()
    ]


def _as(form: Form, mark: str, **changes: object) -> Form:
    return {**form, "notice_id": "ntc_" + mark * 32, **changes}


def _child(form: Form) -> str:
    return str(form["child"]["child_id"])


def _without_child(form: Form) -> Form:
    return {name: value for name, value in form.items() if name != "child"}


def _brief(form: Form) -> Form:
    """What its standing depends on."""
    names = ("form", "kind", "notice_id", "referral_number", "version", "revision", "supersedes")
    brief = {name: form[name] for name in (*names, "recall", "consult") if name in form}
    return brief | ({"child": {"child_id": _child(form)}} if "child" in form else {})


def files() -> dict[str, str]:
    """Name → text of each file of docs/partners/vectors."""
    senders = {
        "sender_keys": {
            whpk: secret_key(key)
            for whpk, key in zip(BOTH.public_keys, (OLD_SENDER, NEW_SENDER), strict=True)
        }
    }
    contents: dict[str, Any] = {
        "requests.json": {"receiver": RECEIVER, "requests": requests()},
        "signatures.json": {**senders, "signatures": signatures()},
        "jwe.json": jwe(),
        "standings.json": {"standings": standings()},
    }
    return {
        name: json.dumps(each, indent=1, ensure_ascii=False) + "\n"
        for name, each in contents.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in files().items():
        (FOLDER / file).write_text(text)
