"""Settings of the deadlines service."""

from pydantic import Field, SecretStr

from shared.runtime.settings import ServiceSettings


class DeadlinesSettings(ServiceSettings):
    """`HARTLINE_DEADLINES_*`, and where intake and notify are."""

    dsn: SecretStr = Field(
        validation_alias="HARTLINE_DEADLINES_DSN", description="DSN of hartline_deadlines_app."
    )
    port: int = Field(8103, validation_alias="HARTLINE_DEADLINES_PORT")
    ops_port: int = Field(9103, validation_alias="HARTLINE_DEADLINES_OPS_PORT")
    intake_url: str = Field(
        validation_alias="HARTLINE_INTAKE_URL",
        pattern=r"^https?://[^\s/?#]+$",
        description="Base URL of intake's internal API.",
    )
    notify_url: str = Field(
        validation_alias="HARTLINE_NOTIFY_URL",
        pattern=r"^https?://[^\s/?#]+$",
        description="Base URL of notify's internal API.",
    )
