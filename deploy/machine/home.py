"""A home: the folder that holds everything one machine's Hartline keeps."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from deploy.machine.bootstrap import role_names
from deploy.machine.ports import claim, claim_ports
from shared.runtime import keys

ROOT = Path(__file__).parents[2]
ISSUER = "hartline-one-machine"
BUSES = ("postgresql", "kafka")
KEYS = {
    "intake": {
        "kek-1": "kek",
        "commitment-1": "hmac",
        "idempotency-1": "hmac",
        "matching-1": "hmac",
        "statistics-1": "hmac",
    },
    "notify": {"kek-1": "kek", "commitment-1": "hmac", "webhook-1": "ed25519"},
    "audit": {"log-1": "ed25519"},
}
"""The keys of each service, by file name; docs/keys.md says what they are for."""


@dataclass(frozen=True)
class Ports:
    """The ports on loopback: each service's API and operations port, and the sample agencies."""

    intake: int = 8101
    notify: int = 8102
    deadlines: int = 8103
    audit: int = 8104
    agencies: int = 8105
    intake_ops: int = 9101
    notify_ops: int = 9102
    deadlines_ops: int = 9103
    audit_ops: int = 9104

    @classmethod
    def free(cls) -> Self:
        """All of them claimed for this process and none of them the default."""
        return cls(*claim_ports(len(fields(cls))))

    def where_taken_another(self) -> Self:
        """These, claimed for this process, with another in place of each that somebody has."""
        taken = [name for name, port in asdict(self).items() if not claim(port)]
        instead = dict(zip(taken, claim_ports(len(taken)), strict=True))
        return type(self)(**(asdict(self) | instead))


class Home:
    """Paths of a home, and what is made once and then kept: passwords and keys."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.postgres = self.path / "postgres"
        self.kafka = self.path / "kafka"
        self.keys = self.path / "keys"
        self.agencies = self.path / "agencies"
        self.logs = self.path / "logs"
        self.settings = self.path / "settings"
        """Each service's own, for the tools of `deploy.operations`."""
        self.issuer_key = self.keys / "issuer" / "issuer.jwk"
        self.jwks = self.keys / "issuer" / "jwks.json"

    def make(self) -> None:
        """Make what is missing; never replaces a key or a password."""
        make_reachable(self.path)
        for folder in (self.keys, self.agencies, self.logs, self.settings):
            folder.mkdir(mode=0o700, exist_ok=True)
        make_keys(self.keys)

    def passwords(self) -> dict[str, str]:
        """The password of every database role; made when first asked for."""
        path = self.path / "passwords.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        missing = [role for role in role_names() if role not in known]
        if missing:
            known |= {role: secrets.token_urlsafe(24) for role in missing}
            write_private(path, json.dumps(known, indent=2))
        return known


def make_reachable(folder: Path) -> None:
    """Private; but the user that runs root's PostgreSQL may pass through it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def make_keys(folder: Path) -> None:
    """A folder for each service with its keys, and one for the local issuer. Replaces nothing."""
    for service, names in KEYS.items():
        (folder / service).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, kind in names.items():
            _make_key(kind, folder / service / f"{name}.key")
    issuer = folder / "issuer"
    issuer.mkdir(mode=0o700, exist_ok=True)
    _make_key("issuer", issuer / "issuer.jwk")
    (issuer / "jwks.json").write_text(json.dumps(keys.jwks(issuer / "issuer.jwk")))


def write_private(path: Path, content: str) -> None:
    """Replace the file as a whole, readable by its owner only."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _make_key(kind: str, path: Path) -> None:
    if not path.exists():
        keys.make(kind, path)
