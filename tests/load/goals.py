"""DESIGN.md's budgets, and what they are beside a peer: another machine gives both more or less.

The peer is WebhookX, which signs but neither encrypts nor records.
"""

from dataclasses import dataclass

from tests.load.reporting import verdict


@dataclass(frozen=True, slots=True)
class Goal:
    """At most `figure`, or at least. `peer`: what the peer did where that was set, if it did."""

    figure: float
    peer: float | None = None
    at_least: bool = False

    def judged(self, ours: float) -> str:
        return self._judged(ours, self.figure)

    def beside(self, ours: float, peer: float) -> str:
        """The same goal as a ratio: `peer` is what it does on this machine, in this run."""
        if self.peer is None or peer <= 0:
            return ""
        return self._judged(ours / peer, self.figure / self.peer)

    def _judged(self, ours: float, goal: float) -> str:
        met = ours >= goal if self.at_least else ours <= goal
        return f"{'≥' if self.at_least else '≤'} {goal:.4g}: {verdict(met)}"


PER_SECOND = Goal(1000.0, peer=2089.0, at_least=True)
CPU_SECONDS = Goal(2.0, peer=1.09)
"""Per 1,000 deliveries, of all programs."""
FIRST_BYTE_P95_MS = {20: Goal(15.0), 50: Goal(25.0, peer=4.8)}
"""By referrals a second. Beside the peer it counts from the intended time: from the peer's answer,
which may come after what it sends, it can be negative."""
