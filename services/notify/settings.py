"""Settings of notify."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.runtime.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """What notify needs beside what every service needs."""

    dsn: SecretStr = Field(
        validation_alias="HARTLINE_NOTIFY_DSN", description="DSN of hartline_notify_app."
    )
    port: int = Field(8102, validation_alias="HARTLINE_NOTIFY_PORT")
    ops_port: int = Field(9102, validation_alias="HARTLINE_NOTIFY_OPS_PORT")
    keys: Path = Field(
        validation_alias="HARTLINE_NOTIFY_KEYS",
        description="Directory with kek-N.key, commitment-N.key and webhook-N.key.",
    )
    intake_url: str = Field(
        pattern=r"^https?://[^\s/?#]+$", description="Base URL of intake's internal API."
    )
    marker: Path | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_MARKER",
        description="File outside the database that says how far it has counted.",
    )
