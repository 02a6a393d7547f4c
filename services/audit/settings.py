"""Settings of the audit service."""

from pathlib import Path

from pydantic import Field, SecretStr

from services.audit.cosignature import parse_witness_vkey
from services.audit.mailing import Letterbox
from services.audit.note import BadNote, Checkpoint, PublicKey, Signer, open_checkpoint
from services.audit.witnessing import WitnessAt
from shared.runtime import keys
from shared.runtime.errors import Misconfigured
from shared.runtime.mail import Relay
from shared.runtime.settings import ServiceSettings

_KEYS = "log"


class AuditSettings(ServiceSettings):
    """`HARTLINE_AUDIT_*`."""

    dsn: SecretStr = Field(validation_alias="HARTLINE_AUDIT_DSN")
    port: int = Field(8104, validation_alias="HARTLINE_AUDIT_PORT")
    ops_port: int = Field(9104, validation_alias="HARTLINE_AUDIT_OPS_PORT")
    keys: Path = Field(
        validation_alias="HARTLINE_AUDIT_KEYS", description="Directory with log-N.key."
    )
    origin: str = Field(
        "hartline/audit",
        validation_alias="HARTLINE_AUDIT_ORIGIN",
        pattern=r"^[!-*,-~]{1,200}$",
        description="The log's name in its checkpoints. Another name is another log.",
    )
    intake_url: str = Field(
        validation_alias="HARTLINE_INTAKE_URL",
        pattern=r"^https?://[^\s/?#]+$",
        description="Base URL of intake: whom a child is, and orders to destroy content.",
    )
    notify_url: str = Field(
        validation_alias="HARTLINE_NOTIFY_URL",
        pattern=r"^https?://[^\s/?#]+$",
        description="Base URL of notify: what agencies were called.",
    )
    retention_years: int = Field(
        5,
        validation_alias="HARTLINE_AUDIT_RETENTION_YEARS",
        ge=5,
        le=100,
        description="How long nobody must have seen a child's content before it may be due.",
    )
    witnessed: Path | None = Field(
        None,
        validation_alias="HARTLINE_AUDIT_WITNESSED",
        description="File with a checkpoint of this log kept elsewhere: never sign behind it.",
    )
    witnesses: Path | None = Field(
        None,
        validation_alias="HARTLINE_AUDIT_WITNESSES",
        description="File with the witnesses: on each line a URL and a public key.",
    )
    print_to: Path | None = Field(
        None,
        validation_alias="HARTLINE_AUDIT_PRINT",
        description="File to which the newest checkpoint is appended every hour.",
    )
    mail: str | None = Field(
        None,
        validation_alias="HARTLINE_AUDIT_MAIL",
        description="Relay for mailed checkpoints: smtp://[user@]host[:587]; STARTTLS always.",
    )
    mail_from: str | None = Field(None, validation_alias="HARTLINE_AUDIT_MAIL_FROM")
    mail_to: str | None = Field(
        None,
        validation_alias="HARTLINE_AUDIT_MAIL_TO",
        pattern=r"^[^\s,@]+@[^\s,@]+(,[^\s,@]+@[^\s,@]+)*$",
        description="Who keeps checkpoints: addresses, with commas between.",
    )
    mail_password: Path | None = Field(None, validation_alias="HARTLINE_AUDIT_MAIL_PASSWORD_FILE")
    mail_ca: Path | None = Field(None, validation_alias="HARTLINE_AUDIT_MAIL_CA")


def load_letterbox(settings: AuditSettings) -> Letterbox | None:
    """Where checkpoints are mailed to, if anywhere. Raises Misconfigured."""
    if settings.mail is None and settings.mail_to is None:
        return None
    if settings.mail is None or settings.mail_to is None:
        raise Misconfigured("HARTLINE_AUDIT_MAIL and HARTLINE_AUDIT_MAIL_TO go together.")
    relay = Relay.parse(
        "HARTLINE_AUDIT_MAIL",
        settings.mail,
        settings.mail_from,
        settings.mail_password,
        settings.mail_ca,
    )
    return Letterbox(relay, tuple(settings.mail_to.split(",")))


def load_signers(settings: AuditSettings) -> tuple[Signer, ...]:
    """Every `log-N.key`, the current one first: while two are there, both sign (rotation)."""
    found = keys.load_versions(settings.keys, _KEYS)
    return tuple(
        Signer.of_seed(settings.origin, found[version]) for version in sorted(found, reverse=True)
    )


def load_witnessed(settings: AuditSettings, trusted: tuple[PublicKey, ...]) -> list[Checkpoint]:
    """The checkpoint of HARTLINE_AUDIT_WITNESSED, if any. Raises Misconfigured when unusable."""
    if settings.witnessed is None:
        return []
    try:
        return [open_checkpoint(settings.witnessed.read_bytes(), trusted)]
    except OSError as error:
        raise Misconfigured(
            f"HARTLINE_AUDIT_WITNESSED: {settings.witnessed} cannot be read ({error.strerror})."
        ) from None
    except BadNote as error:
        raise Misconfigured(
            f"HARTLINE_AUDIT_WITNESSED: {settings.witnessed} is no checkpoint of this log: {error}."
        ) from None


def load_witnesses(settings: AuditSettings) -> list[WitnessAt]:
    """The witnesses of HARTLINE_AUDIT_WITNESSES, if any. Raises Misconfigured when unusable."""
    if settings.witnesses is None:
        return []
    try:
        lines = settings.witnesses.read_text(encoding="utf-8").splitlines()
        return [_witness(line) for line in lines if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise Misconfigured(
            f"HARTLINE_AUDIT_WITNESSES: {settings.witnesses} cannot be read ({error.strerror})."
        ) from None
    except ValueError as error:
        raise Misconfigured(
            f"HARTLINE_AUDIT_WITNESSES: {settings.witnesses} must hold on each line a URL and a "
            f"witness's public key: {error}."
        ) from None


def _witness(line: str) -> WitnessAt:
    url, _, vkey = line.strip().partition(" ")
    if not url.startswith(("https://", "http://")):
        raise BadNote("a line does not begin with a URL")
    return WitnessAt(url, parse_witness_vkey(vkey))
