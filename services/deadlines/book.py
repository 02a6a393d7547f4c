"""The book of policies: which one governs a clock. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product

from services.deadlines.facts import Statement
from services.deadlines.policy import Policy
from shared.contracts.codes import HtType, Trigger
from shared.runtime.errors import Retryable


class UnknownPolicy(Retryable):
    """A clock runs under a policy version that this process has not read: start it again."""


class PolicyBook:
    """The policies in force, and every version under which a clock may still run."""

    def __init__(
        self,
        current: Iterable[Policy],
        used: Iterable[Policy] = (),
        today: date = date.max,
    ) -> None:
        """Policies that begin after `today` take no running clock over yet."""
        self.current: Mapping[tuple[str, str], Policy] = {each.key: each for each in current}
        self._all = dict(self.current) | {each.key: each for each in used}
        self._of_duty: dict[str, list[Policy]] = defaultdict(list)
        self._applying: dict[tuple[Trigger, HtType], list[Policy]] = defaultdict(list)
        for each in sorted(self.current.values(), key=lambda each: each.begins, reverse=True):
            self._of_duty[each.duty].append(each)
            for trigger, ht_type in product(each.applies.triggers, each.applies.ht_types):
                self._applying[trigger, ht_type].append(each)
        self._heirs = {(e.policy, old): e for e in self.current.values() for old in e.rewrites}
        self._succession = {key: tuple(self._heirs_by(key, today)) for key in self._heirs}

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

    def versions(self, policy: str) -> Sequence[Policy]:
        """Every version of it that there ever was."""
        return [each for each in self._all.values() if each.policy == policy]

    def heir(self, key: tuple[str, str]) -> Policy | None:
        """What rewrites a version, also if only on a day to come."""
        return self._heirs.get(key)

    def heirs(self, policy: Policy) -> Sequence[Policy]:
        """Those whose day has come that take its running clocks over, one from the other."""
        return self._succession.get(policy.key, ())

    def _heirs_by(self, key: tuple[str, str], today: date) -> Iterator[Policy]:
        seen = {key}
        heir = self.heir(key)
        while heir is not None and heir.begins <= today and heir.key not in seen:
            yield heir
            seen.add(heir.key)
            heir = self.heir(heir.key)

    def in_force(self, statement: Statement) -> Mapping[str, Policy]:
        """What governs the clocks that begin, by duty; of two the one that began last."""
        found: dict[str, Policy] = {}
        for each in self._applying.get((statement.trigger, statement.ht_type), ()):
            if each.duty not in found and each.in_force(statement.received_at):
                found[each.duty] = each
        return found

    def governing(
        self, duty: str, statement: Statement, running: tuple[str, str] | None
    ) -> Policy | None:
        """The policy of a duty for what is stated; None when none applies and none is running.

        A running clock keeps the policy version that it began with while that still applies to the
        child. What takes it over comes after (`heirs`), however often it is asked. When nothing
        applies any more it keeps it as well: a clock never stops silently. Of two in force the one
        that began last governs.
        """
        kept = None if running is None else self._origin(self.get(running), statement)
        if kept is not None and kept.applies_to(statement):
            return kept
        return self.in_force(statement).get(duty) or kept

    def _origin(self, policy: Policy, statement: Statement) -> Policy:
        """What a clock began with that a policy took over, or the policy itself."""
        if policy.rewrites and not policy.began_by(statement.received_at):
            began = self.in_force(statement).get(policy.duty)
            if began is not None and policy in self.heirs(began):
                return began
        return policy
