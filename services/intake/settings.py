"""Settings of the intake service."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.runtime.settings import ServiceSettings


class IntakeSettings(ServiceSettings):
    """`HARTLINE_INTAKE_*`."""

    dsn: SecretStr = Field(
        validation_alias="HARTLINE_INTAKE_DSN", description="DSN of hartline_intake_app."
    )
    port: int = Field(8101, validation_alias="HARTLINE_INTAKE_PORT")
    ops_port: int = Field(9101, validation_alias="HARTLINE_INTAKE_OPS_PORT")
    keys: Path = Field(
        validation_alias="HARTLINE_INTAKE_KEYS",
        description="Directory with kek-, commitment-, idempotency- and statistics-N.key.",
    )
