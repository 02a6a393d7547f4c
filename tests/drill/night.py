"""What one night's drill has at hand, and when things happened in it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.chaos.agencies import Arrival, MoodyAgencies
from tests.drill.losses import Received
from tests.drill.operator import Operator
from tests.drill.page import Page
from tests.drill.phone import Acknowledged, Phone
from tests.drill.restored import Restored
from tests.drill.site import Running, Site


@dataclass
class Times:
    """time.time() of what is measured from the loss on; 0: not yet."""

    lost: float = 0.0
    backup: float = 0.0
    restarted: float = 0.0
    open: float = 0.0
    sealing: float = 0.0
    released: float = 0.0
    zero: float = 0.0


@dataclass
class Night:
    site: Site
    page: Page
    phone: Phone
    agencies: MoodyAgencies
    session: aiohttp.ClientSession
    at: Times = field(default_factory=Times)
    restored: Restored | None = None
    lost: Sequence[Acknowledged] = ()
    received: Received | None = None
    admitted: Path | None = None
    """The witness's last checkpoint of the old log."""
    keys: list[str] = field(default_factory=list)
    """The log's public keys, of both its names."""
    running: list[Running] = field(default_factory=list)

    @property
    def operator(self) -> Operator:
        return Operator(self.site.elsewhere, self.page)

    def step(self, number: int) -> None:
        title = self.page.take(number)
        after = time.time() - self.at.lost
        print(f"\n{number:>2}. {title}  ({after:.1f} s after the loss)", flush=True)

    def arrived(self, begin: float, end: float = float("inf")) -> list[Arrival]:
        return [each for each in list(self.agencies.arrivals) if begin <= each.at < end]
