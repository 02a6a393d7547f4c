"""Keys: made by a command, kept in files that only their service reads. Custody: docs/keys.md.

    python -m shared.runtime.keys make KIND PATH     kek, hmac, ed25519 or issuer
    python -m shared.runtime.keys public PATH        what others may know of an ed25519 key
    python -m shared.runtime.keys jwks PATH          the issuer's public keys, for HARTLINE_JWKS

A `.key` file holds 32 bytes in base64url; the issuer's is a private JWK (P-256).
"""

import argparse
import base64
import json
import os
import re
import secrets
import stat
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey

from shared.runtime.errors import Misconfigured

KINDS = ("kek", "hmac", "ed25519", "issuer")
_LENGTH = 32


def make(kind: str, path: Path) -> None:
    """Make a new key in a new file, readable by its owner only. Never overwrites."""
    content = _new_issuer() if kind == "issuer" else _encode(secrets.token_bytes(_LENGTH))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misconfigured(
            f"{path} exists and is not overwritten: what it sealed or signed would be lost. "
            "Make the next version under its own name."
        ) from None
    with open(descriptor, "w") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> bytes:
    """The 32 bytes of a `.key` file. Raises Misconfigured without ever showing them."""
    try:
        key = base64.b64decode(read_private(path).strip(), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != _LENGTH:
        raise Misconfigured(f"{path} is not a key: it must hold 32 bytes in base64url.")
    return key


def load_versions(directory: Path, name: str) -> dict[int, bytes]:
    """Every `<name>-<version>.key` in the directory, by version, lowest first."""
    pattern = re.compile(rf"{re.escape(name)}-([1-9][0-9]*)\.key")
    try:
        found = {
            int(match[1]): path
            for path in directory.iterdir()
            if (match := pattern.fullmatch(path.name))
        }
    except OSError as error:
        raise Misconfigured(f"{directory} cannot be read ({error.strerror}).") from None
    if not found:
        raise Misconfigured(f"{directory} holds no {name}-1.key: see docs/keys.md.")
    return {version: load(found[version]) for version in sorted(found)}


def load_ed25519(path: Path) -> Ed25519PrivateKey:
    """The signing key of a `.key` file."""
    return Ed25519PrivateKey.from_private_bytes(load(path))


def load_issuer(path: Path) -> ECKey:
    """The private JWK that signs tokens on one machine."""
    try:
        return ECKey.import_key(json.loads(read_private(path)))
    except ValueError:
        raise Misconfigured(f"{path} is not a private JWK on P-256.") from None


def jwks(path: Path) -> dict[str, object]:
    """The JWK Set that lets others verify what the issuer's key signed."""
    return {"keys": [load_issuer(path).as_dict(private=False)]}


def read_private(path: Path) -> str:
    """Read a secret file. Raises Misconfigured when it is missing or when anyone may read it."""
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise Misconfigured(f"{path} is open to every user: chmod 600 it and renew the key.")
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None


def _new_issuer() -> str:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    return json.dumps(key.as_dict(private=True))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.runtime.keys")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="make a new key; never overwrites")
    making.add_argument("kind", choices=KINDS)
    making.add_argument("path", type=Path)
    for name, what in (("public", "an ed25519 key's public half"), ("jwks", "the issuer's")):
        commands.add_parser(name, help=f"print {what}").add_argument("path", type=Path)
    arguments = parser.parse_args(argv)
    try:
        _run(arguments)
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "make":
        make(arguments.kind, arguments.path)
    elif arguments.command == "public":
        public = load_ed25519(arguments.path).public_key().public_bytes_raw()
        sys.stdout.write(_encode(public) + "\n")
    else:
        sys.stdout.write(json.dumps(jwks(arguments.path), indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
