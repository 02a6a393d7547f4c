"""Settings of the intake service."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from services.intake.sweeper import Patience
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
        description="Directory of the keys of docs/keys.md, each as NAME-N.key.",
    )
    call_patience: int = Field(
        900,
        ge=60,
        le=3600,
        validation_alias="HARTLINE_INTAKE_CALL_PATIENCE",
        description="Seconds after which an open call that nobody saves is told to a person.",
    )
    case_patience_hours: int = Field(
        24,
        ge=1,
        le=24 * 30,
        validation_alias="HARTLINE_INTAKE_CASE_PATIENCE_HOURS",
        description="How long a flagged case may lack its DCF-737 before it is reported.",
    )
    sandbox: bool = Field(
        False,
        validation_alias="HARTLINE_INTAKE_SANDBOX",
        description="Take only referrals that are marked as tests.",
    )

    @property
    def patience(self) -> Patience:
        return Patience(
            call=timedelta(seconds=self.call_patience),
            case=timedelta(hours=self.case_patience_hours),
        )
