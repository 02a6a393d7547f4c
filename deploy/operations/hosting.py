"""What is known of the services' processes where they run. Nothing, where others run them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.runtime.findings import Finding, act

STANDS = "is stopped (SIGSTOP): it is there and does nothing, and nobody starts it again."


@dataclass(frozen=True, slots=True)
class Frozen:
    """A process that was stopped (SIGSTOP, or a debugger): it is there and does nothing."""

    name: str
    """As `restart` takes it: `audit (seal)`."""
    pid: int


@dataclass(frozen=True, slots=True)
class Looping:
    """A service that ends again and again as soon as it is started."""

    name: str
    words: str
    """How often, and since when."""


class Host(Protocol):
    """Whoever has started them."""

    def frozen(self) -> Sequence[Frozen]:
        """At this moment."""

    def looping(self) -> Sequence[Looping]:
        """At this moment."""

    def restart(self, name: str) -> str:
        """The command that ends what is called so, and has it begin anew."""

    def begins(self, service: str) -> str:
        """What to do about a service that is not there."""

    def mended(self) -> str:
        """What follows once its settings are right; after a comma or semicolon of its own."""

    def typed(self, finding: Finding) -> Finding:
        """The same, with its commands as they are typed where these processes run."""


class Unknown:
    """Services that others run."""

    def frozen(self) -> Sequence[Frozen]:
        return ()

    def looping(self) -> Sequence[Looping]:
        return ()

    def restart(self, name: str) -> str:
        return f"end {name} with SIGKILL, which is safe"

    def begins(self, service: str) -> str:
        return "Start it, and read the end of its log"

    def mended(self) -> str:
        return ", then start the service"

    def typed(self, finding: Finding) -> Finding:
        return finding


def stuck(host: Host) -> list[Finding]:
    """What is there and does nothing, and what does not stay."""
    return [*_frozen(host), *_looping(host)]


def _looping(host: Host) -> list[Finding]:
    return [
        act(
            f"{each.name}, its starts",
            f"It is {each.words}.",
            f"{host.begins(each.name)} (docs/runbook.md#a-service-does-not-answer).",
        )
        for each in host.looping()
    ]


def _frozen(host: Host) -> list[Finding]:
    return [
        act(
            f"{each.name}, process {each.pid}",
            STANDS,
            f"{host.restart(each.name)} (docs/runbook.md#a-service-does-not-answer).",
        )
        for each in host.frozen()
    ]
