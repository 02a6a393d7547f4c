"""Settings of the intake service."""

from datetime import timedelta
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
        description="Directory with kek-N.key, commitment-N.key and idempotency-N.key.",
    )
    case_patience_hours: int = Field(
        24,
        ge=1,
        le=24 * 30,
        validation_alias="HARTLINE_INTAKE_CASE_PATIENCE_HOURS",
        description="How long a flagged case may lack its DCF-737 before it is reported.",
    )

    @property
    def case_patience(self) -> timedelta:
        return timedelta(hours=self.case_patience_hours)
