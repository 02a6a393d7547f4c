"""A witness for audit logs, to run at another agency than the log's.

    python -m services.audit.witness make FOLDER NAME     a new key, in a new folder
    python -m services.audit.witness key FOLDER           its public key, for the log's operator
    python -m services.audit.witness run FOLDER [--host H] [--port P]

FOLDER/logs.vkey lists the public keys of the logs it watches, one a line (`python -m
services.audit key` prints them). It needs Python and `cryptography`, and of ours this folder,
services/audit/ cosignature.py, note.py and tlog.py. TLS ends before it.
"""

import argparse
import base64
import os
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.cosignature import Cosigner, parse_witness_vkey
from services.audit.note import BadNote, PublicKey, parse_vkey
from services.audit.witness.server import Server, Witness
from services.audit.witness.state import Damaged, State


class Unusable(Exception):
    """It cannot start as it is. The text is a sentence that says what to mend."""


def main(argv: list[str]) -> int:
    """Exit code 2: it cannot start as it is."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "make":
            _make(arguments.folder, arguments.name)
        elif arguments.command == "key":
            print(load_cosigner(arguments.folder).public.vkey)
        else:
            _run(arguments.folder, arguments.host, arguments.port)
    except (Unusable, Damaged) as error:
        return _end(str(error))
    except OSError as error:
        return _end(f"{error.filename or 'The port'} cannot be used ({error.strerror}).")
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.audit.witness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="a new key in a new folder")
    make.add_argument("folder", type=Path)
    make.add_argument("name", help="as it will stand in cosignatures: witness.example/agency")
    commands.add_parser("key", help="print the public key").add_argument("folder", type=Path)
    run = commands.add_parser("run", help="answer until stopped")
    run.add_argument("folder", type=Path)
    run.add_argument("--host", default="127.0.0.1")
    run.add_argument("--port", type=int, default=8110)
    return parser


def _make(folder: Path, name: str) -> None:
    seed = secrets.token_bytes(32)
    cosigner = Cosigner(name, Ed25519PrivateKey.from_private_bytes(seed))
    try:
        parse_witness_vkey(cosigner.public.vkey)
    except BadNote:
        raise Unusable("A witness's name holds no space, plus or control character.") from None
    folder.mkdir(parents=True)
    (folder / "logs.vkey").touch()
    path = os.open(folder / "witness.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{name}\n{base64.b64encode(seed).decode()}\n")
    print(cosigner.public.vkey)


def load_cosigner(folder: Path) -> Cosigner:
    """The key of FOLDER/witness.key. Raises Unusable, OSError."""
    path = folder / "witness.key"
    try:
        name, encoded = path.read_text(encoding="utf-8").split()
        seed = base64.b64decode(encoded, validate=True)
        return Cosigner(name, Ed25519PrivateKey.from_private_bytes(seed))
    except ValueError:
        raise Unusable(f"{path} is not a witness's key: a name and 32 bytes in base64.") from None


def load_logs(folder: Path) -> dict[str, list[PublicKey]]:
    """The keys of FOLDER/logs.vkey, by the log's origin. Raises Unusable, OSError."""
    path = folder / "logs.vkey"
    found: dict[str, list[PublicKey]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            try:
                key = parse_vkey(line)
            except BadNote as error:
                raise Unusable(f"{path} holds a line that is no log's key: {error}.") from None
            found.setdefault(key.name, []).append(key)
    if not found:
        raise Unusable(f"{path} is empty: write the public keys of the logs to watch into it.")
    return found


def _run(folder: Path, host: str, port: int) -> None:
    cosigner, keys = load_cosigner(folder), load_logs(folder)
    state = State(folder, keys)
    with Server((host, port), Witness(cosigner, keys, state)) as server:
        sys.stderr.write(f"{cosigner.name} watches {len(keys)} log(s) on port {port}.\n")
        sys.stderr.flush()
        server.serve_forever()


def _end(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
