"""Settings of the audit service."""

from pathlib import Path

from pydantic import Field, SecretStr

from services.audit.note import BadNote, Checkpoint, PublicKey, Signer, open_checkpoint
from shared.runtime import keys
from shared.runtime.errors import Misconfigured
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
