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
    pager_fallback: str | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_PAGER_FALLBACK",
        pattern=r"^(https?://|mailto:)[^\s]+$",
        description="Whom to page when no roster reaches anybody: a URL, or mailto:address.",
    )
    pager_networks: str = Field(
        "",
        validation_alias="HARTLINE_NOTIFY_PAGER_NETWORKS",
        pattern=r"^([0-9a-fA-F.:]+/[0-9]+(,[0-9a-fA-F.:]+/[0-9]+)*)?$",
        description="Private networks in which pagers may be, as 10.1.2.0/24,fd00:1::/64.",
    )
    pager_smtp: str | None = Field(None, validation_alias="HARTLINE_NOTIFY_PAGER_SMTP")
    pager_smtp_password_file: Path | None = Field(
        None, validation_alias="HARTLINE_NOTIFY_PAGER_SMTP_PASSWORD_FILE"
    )
    pager_from: str = Field("hartline@localhost", validation_alias="HARTLINE_NOTIFY_PAGER_FROM")
    tasks_url: str = Field(
        "http://127.0.0.1:8102/v1/tasks",
        validation_alias="HARTLINE_NOTIFY_TASKS_URL",
        pattern=r"^https?://[^\s?#]+$",
        description="A page's link, before the task's id.",
    )
    heartbeat_url: str | None = Field(
        None, validation_alias="HARTLINE_NOTIFY_HEARTBEAT_URL", pattern=r"^https?://[^\s]+$"
    )
    alertmanager: str | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_ALERTMANAGER",
        pattern=r"^https?://[^\s?#]+$",
        description="The doctor asks it whether alerts would reach somebody.",
    )
    synthetic: bool = Field(
        False,
        validation_alias="HARTLINE_NOTIFY_SYNTHETIC",
        description="Whether a synthetic referral is sent through everything each minute.",
    )
    audit_url: str | None = Field(
        None, validation_alias="HARTLINE_AUDIT_URL", pattern=r"^https?://[^\s/?#]+$"
    )

    mail: str | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_MAIL",
        description="Relay for pointers by mail: smtp://[user@]host[:587]; STARTTLS always.",
    )
    mail_from: str | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_MAIL_FROM",
        description="Address that pointers come from; needed by HARTLINE_NOTIFY_MAIL.",
    )
    mail_password: Path | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_MAIL_PASSWORD_FILE",
        description="File that holds the relay's password.",
    )
    mail_ca: Path | None = Field(
        None,
        validation_alias="HARTLINE_NOTIFY_MAIL_CA",
        description="PEM file of the CA that signed the relay's certificate, if a private one.",
    )
    unread_hours: float = Field(
        2.0,
        gt=0,
        validation_alias="HARTLINE_NOTIFY_UNREAD_HOURS",
        description="After how many hours an unread mailbox becomes a task.",
    )
    unacknowledged_hours: float = Field(
        24.0,
        gt=0,
        validation_alias="HARTLINE_NOTIFY_UNACKNOWLEDGED_HOURS",
        description="After how many hours a notice that was opened and not acknowledged becomes a "
        "task.",
    )
