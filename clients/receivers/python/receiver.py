#!/usr/bin/env python3
"""A receiver of Hartline's notices: verify, open, store, and only then answer 200.

    python receiver.py receiver.json          receive
    python receiver.py check FILE.json ...    try this program against the published vectors
    python receiver.py new-key                make a key pair: keep the first, send us the second

Python 3.11 and `cryptography`. What the parts of it are for: README.md, and docs/partners.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOLERANCE = 300  # seconds
LARGEST = 4 * 1024 * 1024
ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # an id becomes a file's name
STATUS = {
    "content_type": 415,
    "id": 400,
    "timestamp": 401,
    "signature": 401,
    "jwe": 400,
    "audience": 403,
    "issued_at": 400,
    "ids_differ": 400,
    "form": 400,
    "recall_names_no_notice": 400,
}


class Refused(Exception):
    """Not to be trusted; why, as a word of STATUS."""


@dataclass
class Keys:
    """Old and new of each while one is changed: ours to open with, Hartline's to verify with."""

    agency_id: str
    private: list
    senders: list
    secrets: list

    @classmethod
    def of(cls, config):
        return cls(
            config["agency_id"],
            [private_key(jwk) for jwk in config["private_keys"]],
            [
                Ed25519PublicKey.from_public_bytes(unbase64(each.removeprefix("whpk_")))
                for each in config["sender_keys"]
            ],
            [unbase64(each.removeprefix("whsec_")) for each in config.get("shared_secrets", [])],
        )


# Verify and open


def open_notice(keys, headers, body, now):
    """(notice id, plaintext, form) of an authentic, fresh notice for us. Raises Refused.

    `headers` by lower-case name. Nothing is parsed before its signature has been verified.
    """
    if headers.get("content-type") != "application/jose":
        raise Refused("content_type")
    notice_id = headers.get("webhook-id", "")
    if not ID.fullmatch(notice_id):
        raise Refused("id")
    timestamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        raise Refused("timestamp")
    content = b".".join((notice_id.encode(), timestamp.encode(), body))
    if not any(
        signed(keys, each, content) for each in headers.get("webhook-signature", "").split()
    ):
        raise Refused("signature")
    header, plaintext = decrypt(keys, body)
    if header.get("aud") != keys.agency_id:
        raise Refused("audience")
    if type(header.get("iat")) is not int or abs(now - header["iat"]) > TOLERANCE:
        raise Refused("issued_at")
    form = read_form(plaintext)
    if form["kind"] == "challenge":
        form = {**form, "notice_id": notice_id, "recipient": {"agency_id": keys.agency_id}}
    if form["recipient"]["agency_id"] != keys.agency_id:
        raise Refused("audience")
    if not notice_id == header.get("jti") == form["notice_id"]:
        raise Refused("ids_differ")
    return notice_id, plaintext, form


def signed(keys, signature, content):
    """Standard Webhooks 1.0: `v1a` is Ed25519, `v1` is HMAC-SHA256. One that verifies is enough."""
    version, _, encoded = signature.partition(",")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    if version == "v1":
        macs = (hmac.digest(secret, content, hashlib.sha256) for secret in keys.secrets)
        return any(hmac.compare_digest(mac, raw) for mac in macs)
    return version == "v1a" and any(verifies(sender, raw, content) for sender in keys.senders)


def verifies(sender, signature, content):
    try:
        sender.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def decrypt(keys, body):
    """(protected header, plaintext) of a compact JWE: ECDH-ES on P-256 and A256GCM alone."""
    try:
        protected, wrapped, iv, ciphertext, tag = body.split(b".")
        header = json.loads(unbase64url(protected))
        if (header["alg"], header["enc"], wrapped) != ("ECDH-ES", "A256GCM", b""):
            raise Refused("jwe")
        if "crit" in header or "zip" in header:  # extensions that this program does not know
            raise Refused("jwe")
        epk = public_key(header["epk"])
        sealed = unbase64url(ciphertext) + unbase64url(tag)
        if len(unbase64url(iv)) != 12 or len(unbase64url(tag)) != 16:
            raise Refused("jwe")
        for private in keys.private:
            key = concat_kdf(private.exchange(ec.ECDH(), epk), header)
            try:
                return header, AESGCM(key).decrypt(unbase64url(iv), sealed, protected)
            except InvalidTag:
                continue
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise Refused("jwe")


def concat_kdf(shared, header):
    """The content key of ECDH-ES (RFC 7518, 4.6.2), for A256GCM."""
    parts = [b"A256GCM", unbase64url(header.get("apu", "")), unbase64url(header.get("apv", ""))]
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hashlib.sha256(b"\0\0\0\1" + shared + info + (256).to_bytes(4, "big")).digest()


def read_form(plaintext):
    """The form, or a challenge, which asks whether we hold our key and is none.

    Members that are not known here are no mistake, and `padding` says nothing.
    """
    try:
        form = json.loads(plaintext)
        if form["kind"] == "challenge" and ID.fullmatch(form["challenge"]):
            return form
        texts = (form["kind"], form["referral_number"], form["notice_id"], form["form"])
        right = all(isinstance(each, str) for each in (*texts, form["recipient"]["agency_id"]))
        if right and type(form["version"]) is int:
            return known_recall(form)
    except (ValueError, KeyError, TypeError):
        pass
    raise Refused("form")


def known_recall(form):
    """Kept without the id that it asks back, a recall would be in the way of every later notice."""
    if form["kind"] == "recall":
        recall = form.get("recall")
        named = recall.get("notice_id") if isinstance(recall, dict) else None
        if not isinstance(named, str) or not ID.fullmatch(named):
            raise Refused("recall_names_no_notice")
    return form


# Keep the highest


def standings(forms):
    """What each notice is now, by its id, in whatever order they came.

    recalled    it was not meant for you: set it apart, call DCF
    replaced    a higher version of the same thing, or a higher revision of that version, is here
    withdrawn   the referral was, whatever else comes: do not act on it
    outdated    you are no longer a recipient, and what you hold is not the latest
    current     act on this
    message     says something about other notices, or is of a kind that is new here: read it
    """
    recalled = {form["recall"]["notice_id"] for form in forms if form["kind"] == "recall"}
    highest, withdrawn, outdated = {}, set(), {}
    for form in forms:
        referral, version = form["referral_number"], form["version"]
        if form["kind"] == "withdrawal":
            withdrawn.add((referral, child(form)))
        elif form["kind"] == "supersession":
            note(outdated, referral, form.get("supersedes") or version)
        elif series(form) and form["notice_id"] not in recalled:
            note(highest, series(form), rank(form))

    def standing(form):
        referral = form["referral_number"]
        if form["notice_id"] in recalled:
            return "recalled"
        if not series(form):
            return "message"
        if rank(form) < highest[series(form)]:
            return "replaced"
        if withdrawn & {(referral, child(form)), (referral, "")}:
            return "withdrawn"
        return "outdated" if form["version"] <= outdated.get(referral, 0) else "current"

    return {form["notice_id"]: standing(form) for form in forms}


def note(highest, key, rank):
    highest[key] = max(rank, highest.get(key, 0))


def rank(form):
    return form["version"] * 1_000_000 + (form.get("revision") or 0)


def series(form):
    """What its versions are versions of; None of a kind without content."""
    kinds = {"original": "notice", "correction": "notice", "consult_outcome": "consult"}
    kind = kinds.get(form["kind"])
    consult = (form.get("consult") or {}).get("consult_id", "")
    return kind and (form["form"], kind, consult, form["referral_number"], child(form))


def child(form):
    return (form.get("child") or {}).get("child_id", "")


# Store


class Store:
    """FOLDER/notices/ID.json, as it was decrypted, and FOLDER/standing.tsv, made of those."""

    def __init__(self, folder):
        self.folder, self.notices = folder, folder / "notices"
        self.notices.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.lock = threading.Lock()
        self.forms = [json.loads(path.read_bytes()) for path in self.notices.glob("*.json")]
        self.write_standing()

    def keep(self, notice_id, plaintext, form):
        """Returns once it is on the disk. False: it was there before; one id is kept once."""
        with self.lock:
            path = self.notices / f"{notice_id}.json"
            new = not path.exists()
            if new:
                half = path.with_suffix(".half")
                with half.open("wb") as file:
                    file.write(plaintext)
                    file.flush()
                    os.fsync(file.fileno())
                half.rename(path)
                self.forms.append(form)
            sync_folder(self.notices)  # of a copy that an earlier life left, too
            self.write_standing()
            return new

    def write_standing(self):
        standing = standings(self.forms)
        rows = [
            (standing[form["notice_id"]], form["kind"], str(form["version"]),
             form["referral_number"], child(form), form["notice_id"])
            for form in self.forms
        ]  # fmt: skip
        head = ("standing", "kind", "version", "referral", "child", "notice")
        lines = ["\t".join(row) for row in (head, *sorted(rows, key=lambda row: row[3:]))]
        half = self.folder / "standing.half"
        half.write_text("\n".join(lines) + "\n")
        half.rename(self.folder / "standing.tsv")


def sync_folder(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Receive


def serve(config_path):
    config = json.loads(config_path.read_text())
    keys, store = Keys.of(config), Store(config_path.parent / config["folder"])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20  # seconds, so that a caller who says nothing is not waited for

        def do_POST(self):
            size = self.headers.get("content-length", "")
            if not re.fullmatch("[0-9]{1,9}", size) or int(size) > LARGEST:
                self.close_connection = True
                return self.answer(413, "too_large")
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                notice = open_notice(keys, headers, self.rfile.read(int(size)), time.time())
            except Refused as refused:
                say(f"refused: {refused}")
                return self.answer(STATUS[str(refused)], str(refused))
            if notice[2]["kind"] == "challenge":
                say("answered a challenge")
                return self.answer(200, json.dumps({"challenge": notice[2]["challenge"]}))
            new = store.keep(*notice)
            say(f"{'stored' if new else 'had'} {notice[0]} {notice[2]['kind']}")
            return self.answer(200, "stored")

        def answer(self, status, word):
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(word)))
            self.end_headers()
            self.wfile.write(word.encode())

        def log_message(self, *_):
            """`say` says what may be said: ids and kinds, no content."""

    host, _, port = config["listen"].rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    say(f"listening on {config['listen']}")
    server.serve_forever()


# Keys and vectors


def private_key(jwk):
    number = int.from_bytes(unbase64url(jwk["d"]), "big")
    return ec.EllipticCurvePrivateNumbers(number, public_numbers(jwk)).private_key()


def public_key(jwk):
    """Raises ValueError unless it is a point on P-256."""
    return public_numbers(jwk).public_key()


def public_numbers(jwk):
    if (jwk["kty"], jwk["crv"]) != ("EC", "P-256"):
        raise ValueError("not a key on P-256")
    x, y = (int.from_bytes(unbase64url(jwk[name]), "big") for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())


def new_key():
    """A key pair as two JWKs; the key's id is its fingerprint (RFC 7638)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    x, y, d = (
        base64url(number.to_bytes(32, "big"))
        for number in (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value)
    )
    public = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(public, separators=(",", ":"))
    public["kid"] = base64url(hashlib.sha256(canonical.encode()).digest())
    return {**public, "d": d}, public


def unbase64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def unbase64url(text):
    text = text.decode("ascii") if isinstance(text, bytes) else text
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def check(paths):
    """Print a line per vector that this program judges otherwise, and how many it has tried."""
    tried, wrong = 0, 0
    for path in paths:
        for vector, got, expected in results(json.loads(Path(path).read_text())):
            tried += 1
            if got != expected:
                wrong += 1
                say(f"{vector['name']}: {got}, where {expected} is right")
    sys.stdout.write(f"{tried} vectors, {wrong} wrong\n")
    return 1 if wrong or not tried else 0


def results(vectors):
    for vector in vectors.get("requests", []):
        yield vector, judge(Keys.of(vectors["receiver"]), vector), vector["expect"]
    for vector in vectors.get("standings", []):
        yield vector, standings(vector["notices"]), vector["expect"]


def judge(keys, vector):
    try:
        _, plaintext, _ = open_notice(
            keys, vector["headers"], vector["body"].encode(), vector["now"]
        )
    except Refused as refused:
        return str(refused)
    return hashlib.sha256(plaintext).hexdigest()


def say(line):
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        sys.exit(check(sys.argv[2:]))
    if sys.argv[1:] == ["new-key"]:
        sys.stdout.write("\n".join(json.dumps(jwk) for jwk in new_key()) + "\n")
    elif len(sys.argv) == 2:
        serve(Path(sys.argv[1]))
    else:
        sys.exit(__doc__)
