"""Settings by environment: `HARTLINE_*`, one typed class per service, secrets redacted."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime import failpoints
from shared.runtime.errors import Misconfigured
from shared.runtime.setting_forms import form


class Profile(StrEnum):
    """Where it runs. Production refuses the local issuer, sample data and clear http."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class ServiceSettings(BaseSettings):
    """What every service needs. Subclasses add their own DSNs, ports and keys."""

    model_config = SettingsConfigDict(env_prefix="HARTLINE_", extra="ignore", frozen=True)

    profile: Profile = Profile.PRODUCTION
    bus: str = Field(
        "postgresql",
        pattern=r"^(postgresql|kafka://[^\s]+)$",
        description="`postgresql`, or `kafka://host:port[,host:port]`.",
    )
    bus_dsn: SecretStr | None = Field(None, description="DSN of the PostgreSQL bus's own role.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_ca: Path | None = Field(None, description="PEM file of the brokers' CA.")
    kafka_cert: Path | None = Field(None, description="PEM file of the client's certificate.")
    kafka_key: Path | None = Field(None, description="PEM file of its key, without a passphrase.")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_username: str | None = None
    kafka_password_file: Path | None = None
    host: str = "127.0.0.1"
    run: str | None = Field(
        None,
        pattern=r"^[\w-]{1,64}$",
        description="Opaque name of this run of Hartline, which its operations port says.",
    )
    issuer: str = Field(description="`iss` of the tokens accepted.")
    jwks: Path = Field(description="File with the issuer's public keys (a JWK Set).")
    local_issuer_key: Path | None = Field(
        None, description="Private JWK of the local issuer; for one machine only."
    )
    internal_token: Path | None = Field(
        None, description="File with the token for calls to other services, kept fresh by others."
    )
    tracing: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$",
        description="Base URL of a collector that takes OTLP over HTTP, without a password in it.",
    )
    tracing_ratio: float = Field(
        0.01, ge=0, le=1, allow_inf_nan=False, description="Of calls that are traced."
    )
    tracing_trust_callers: bool = Field(
        False, description="Whether a `traceparent` of the organisation's own systems decides."
    )
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")

    @classmethod
    def load(cls) -> Self:
        """Read the environment, and for what it lacks the files of HARTLINE_SECRETS.

        Raises Misconfigured with one line per setting to mend.
        """
        try:
            settings = cls(_secrets_dir=secrets_folder())
        except ValidationError as error:
            raise Misconfigured(_explain(error, cls.model_fields)) from None
        settings.refuse_unsafe()
        return settings

    def refuse_unsafe(self) -> None:
        """Raises Misconfigured for a combination that must not run."""
        if self.bus == "postgresql" and self.bus_dsn is None:
            raise Misconfigured(
                "HARTLINE_BUS is postgresql but HARTLINE_BUS_DSN is not set: set it to the DSN of "
                "the bus's role, or set HARTLINE_BUS=kafka://host:port."
            )
        self._refuse_half_a_kafka()
        self._refuse_half_a_trace()
        if self.profile is not Profile.PRODUCTION:
            return
        if self.local_issuer_key is not None:
            raise Misconfigured(
                "HARTLINE_LOCAL_ISSUER_KEY is set in the production profile: unset it and let "
                "the organisation's issuer sign tokens (HARTLINE_ISSUER, HARTLINE_JWKS)."
            )
        if failpoints.armed():
            raise Misconfigured("HARTLINE_FAILPOINT_DIR is for tests: unset it in production.")

    def _refuse_half_a_kafka(self) -> None:
        """What is missing for the protocol chosen, and what it would silently leave unused."""
        protocol = self.kafka_security_protocol
        sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
        of_sasl = ("sasl_mechanism", "username", "password_file")
        for name in of_sasl:
            self._need(f"kafka_{name}", wanted=sasl, because=protocol)
        for name in () if tls else ("ca", "cert", "key"):
            self._need(f"kafka_{name}", wanted=False, because=protocol)
        if (self.kafka_cert is None) != (self.kafka_key is None):
            raise Misconfigured(
                "HARTLINE_KAFKA_CERT and HARTLINE_KAFKA_KEY belong together: set both, or neither."
            )
        if protocol == "SASL_PLAINTEXT" and self.profile is Profile.PRODUCTION:
            raise Misconfigured(
                "HARTLINE_KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT, which lets the network read "
                "who we are: set it to SASL_SSL."
            )

    def _refuse_half_a_trace(self) -> None:
        for field in ("tracing_ratio", "tracing_trust_callers"):
            if self.tracing is None and field in self.model_fields_set:
                raise Misconfigured(
                    f"HARTLINE_{field.upper()} is set while HARTLINE_TRACING is not, so nothing is "
                    "traced: set HARTLINE_TRACING to a collector's URL, or unset it."
                )

    def _need(self, field: str, *, wanted: bool, because: str) -> None:
        if (getattr(self, field) is not None) == wanted:
            return
        name = f"HARTLINE_{field.upper()}"
        raise Misconfigured(
            f"{name} is {'not set' if wanted else 'set'} while HARTLINE_KAFKA_SECURITY_PROTOCOL is "
            f"{because}: {'set it' if wanted else 'unset it'}, or choose another protocol."
        )


def secrets_folder() -> Path | None:
    """HARTLINE_SECRETS: each file in it is the setting that it is named for. So a password need
    not stand in an environment, which every child inherits and `inspect` shows."""
    named = os.environ.get("HARTLINE_SECRETS")
    if not named:
        return None
    if not os.access(named, os.R_OK | os.X_OK) or not Path(named).is_dir():
        raise Misconfigured(
            "HARTLINE_SECRETS is no folder that can be read: name the folder of the secrets' files."
        )
    return Path(named)


def one_setting(name: str) -> str | None:
    """A setting by its name, as `ServiceSettings.load` finds it; None where it is not set."""
    if value := os.environ.get(name):
        return value
    folder = secrets_folder()
    file = folder / name if folder is not None else None
    return file.read_text().strip() or None if file is not None and file.is_file() else None


def _explain(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    """One line per setting, by its environment name, without the value."""
    declared = {str(each.validation_alias or name): each for name, each in fields.items()}
    lines = []
    for detail in error.errors(include_input=False, include_url=False):
        field = str(detail["loc"][0]) if detail["loc"] else "settings"
        name = field if field.startswith("HARTLINE_") else f"HARTLINE_{field.upper()}"
        if detail["type"] == "missing":
            lines.append(f"{name} is not set: set it.")
        elif field in declared:
            lines.append(f"{name}: write {form(declared[field])}.")
        else:
            lines.append(f"{name}: {detail['msg']}.")
    return "\n".join([*lines, "docs/settings.md lists every setting and what it is for."])
