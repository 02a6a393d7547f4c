"""The book of policies: which one governs a clock. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from services.deadlines.facts import Statement
from services.deadlines.policy import Policy
from shared.runtime.errors import Retryable


class UnknownPolicy(Retryable):
    """A clock runs under a policy version that this process has not read: start it again."""


class PolicyBook:
    """The policies in force, and every version under which a clock may still run."""

    def __init__(self, current: Iterable[Policy], used: Iterable[Policy] = ()) -> None:
        self.current: Mapping[tuple[str, str], Policy] = {each.key: each for each in current}
        self._all = {each.key: each for each in used} | dict(self.current)
        self.duties = tuple(sorted({each.duty for each in self._all.values()}))
        self._of_duty: dict[str, list[Policy]] = defaultdict(list)
        for each in sorted(self.current.values(), key=_begins, reverse=True):
            self._of_duty[each.duty].append(each)
        self._heirs = {(e.policy, old): e for e in self.current.values() for old in e.rewrites}

    def get(self, key: tuple[str, str]) -> Policy:
        """Raises UnknownPolicy."""
        try:
            return self._all[key]
        except KeyError:
            raise UnknownPolicy(" ".join(key)) from None

    def knows(self, key: tuple[str, str]) -> bool:
        return key in self._all

    def names(self) -> frozenset[str]:
        """Of all policies, whatever their version."""
        return frozenset(policy for policy, _ in self._all)

    def of_duty(self, duty: str) -> Sequence[Policy]:
        return self._of_duty[duty]

    def governing(
        self, duty: str, statement: Statement, running: tuple[str, str] | None
    ) -> Policy | None:
        """The policy of a duty for what is stated; None when none applies and none is running.

        A running clock keeps its policy version while that still applies to the child, so a
        changed policy rewrites no clock, unless it says so (`rewrites`). When nothing applies any
        more it keeps it as well: a clock never stops silently. Of two in force the one that began
        last governs.
        """
        kept = None
        if running is not None:
            kept = self.get(running)
            heir = self._heirs.get(running)
            if heir is not None and heir.applies_to(statement):
                return heir
            if kept.applies_to(statement):
                return kept
        for each in self._of_duty[duty]:
            if each.applies_to(statement) and each.in_force(statement.received_at):
                return each
        return kept


def _begins(policy: Policy) -> date:
    return policy.effective_from or date.min
