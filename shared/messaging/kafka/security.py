"""How a process proves itself to Kafka's brokers, and they to it: `HARTLINE_KAFKA_*`."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.runtime.errors import Misconfigured
from shared.runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Security:
    """What every client of a bus is made with. By default nothing: brokers on this machine."""

    protocol: str = "PLAINTEXT"
    context: ssl.SSLContext | None = None
    mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def options(self) -> dict[str, Any]:
        """As aiokafka's clients take them."""
        return {
            "security_protocol": self.protocol,
            "ssl_context": self.context,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }


def security_of(settings: ServiceSettings) -> Security:
    """Reads the files that the settings name. Raises Misconfigured."""
    protocol = settings.kafka_security_protocol
    context = _context(settings) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return Security(protocol, context)
    return Security(
        protocol,
        context,
        settings.kafka_sasl_mechanism or "PLAIN",
        settings.kafka_username,
        _password(settings.kafka_password_file),
    )


def _context(settings: ServiceSettings) -> ssl.SSLContext:
    """Brokers are known by their name and by the CA file, or by the system's CAs without one."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca)
    except (OSError, ssl.SSLError):
        raise Misconfigured(
            "HARTLINE_KAFKA_CA is no readable file of CA certificates: name a PEM file."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.kafka_cert is not None:
        try:
            context.load_cert_chain(settings.kafka_cert, settings.kafka_key, password=_no_prompt)
        except (OSError, ssl.SSLError, ValueError):
            raise Misconfigured(
                "HARTLINE_KAFKA_CERT and HARTLINE_KAFKA_KEY are no readable certificate and its "
                "key: name two PEM files, the key without a passphrase."
            ) from None
    return context


def _no_prompt() -> str:
    """For a key with a passphrase, of which OpenSSL would otherwise ask the terminal."""
    raise ValueError("the key has a passphrase")


def _password(file: Path | None) -> str:
    try:
        password = file.read_text().strip() if file is not None else ""
    except (OSError, UnicodeDecodeError):
        password = ""
    if not password:
        raise Misconfigured(
            "HARTLINE_KAFKA_PASSWORD_FILE is not readable or empty: write the password into it."
        )
    return password
