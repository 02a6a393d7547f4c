"""Which brokers, and how to prove oneself to them: of a service's settings those of the bus."""

from pathlib import Path

from shared.messaging.kafka.security import Security, security_of
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import ServiceSettings

_KAFKA = "kafka://"


class BusSettings(ServiceSettings):
    """Nobody calls these commands over HTTP."""

    issuer: str = "nobody"
    jwks: Path = Path("/dev/null")


def where() -> tuple[str, Security]:
    """`host:port[,host:port]`, and the proof. Raises Misconfigured."""
    settings = BusSettings.load()
    if not settings.bus.startswith(_KAFKA):
        raise Misconfigured("HARTLINE_BUS is not Kafka: set it to kafka://host:port.")
    return settings.bus.removeprefix(_KAFKA), security_of(settings)
