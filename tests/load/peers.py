"""Goals that were set beside a peer, and mean their ratio to it: another machine gives both more or
less. The peer is WebhookX, which signs but neither encrypts nor records.
"""

import argparse
from dataclasses import dataclass

from tests.load.arguments import between
from tests.load.reporting import verdict


@dataclass(frozen=True, slots=True)
class Goal:
    """At most `figure`, or at least. `peer`: what the peer did where that was set."""

    figure: float
    peer: float
    at_least: bool = False

    def judged(self, ours: float, peer: float | None) -> str:
        """`peer`: what it does here; None where nobody has measured it."""
        words = f"goal {self._judged(ours, self.figure)}"
        if peer is None:
            return words
        here = self.figure * peer / self.peer
        return f"{words}; beside a peer's {peer:g} {self._judged(ours, here)}"

    def _judged(self, ours: float, goal: float) -> str:
        met = ours >= goal if self.at_least else ours <= goal
        return f"{'≥' if self.at_least else '≤'} {goal:.4g}: {verdict(met)}"


def add_peer(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    """An argument for what the peer does on this machine, in the same hour."""
    parser.add_argument(
        name, type=between(0.001, 1e6), metavar="FIGURE", help=f"a peer's {what} here, if known"
    )
