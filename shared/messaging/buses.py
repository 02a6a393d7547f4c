"""Which bus: HARTLINE_BUS says."""

from shared.messaging.bus import Bus
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.kafka.security import security_of
from shared.messaging.postgres.bus import PostgresBus
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import ServiceSettings

_KAFKA = "kafka://"


def open_bus(settings: ServiceSettings, name: str = "hartline") -> Bus:
    """The process's one bus; close it at the end. Connects when first used.

    `name` is shown in pg_stat_activity, or to Kafka's brokers. Raises Misconfigured.
    """
    if settings.bus.startswith(_KAFKA):
        servers = settings.bus.removeprefix(_KAFKA)
        return KafkaBus(servers, name, security=security_of(settings))
    if settings.bus_dsn is None:
        raise Misconfigured("HARTLINE_BUS_DSN is not set: set it to the DSN of the bus's role.")
    return PostgresBus(settings.bus_dsn.get_secret_value(), name)
