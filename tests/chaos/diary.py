"""What the harness did to whom, and when: the causes that a record may name."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Trouble:
    """`whom` is a service or a server; times are time.time()."""

    begin: float
    end: float
    whom: str


@dataclass
class Diary:
    """`kills` counts by fail point, or by whom at random; `woken` by whom was frozen."""

    kills: Counter[str] = field(default_factory=Counter)
    woken: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    def killed(self, whom: str, what: str, now: float) -> None:
        self.kills[what] += 1
        self.troubles.append(Trouble(now, now, whom))

    def frozen(self, whom: str, begin: float, end: float, *, woke: bool) -> None:
        self.troubles.append(Trouble(begin, end, whom))
        if woke:
            self.woken[whom] += 1
            self.longest[whom] = max(end - begin, self.longest.get(whom, 0.0))

    def troubled(self, whoms: tuple[str, ...], begin: float, end: float) -> bool:
        """Whether any of them was in trouble at some time between."""
        return any(
            each.whom in whoms and each.begin <= end and each.end >= begin for each in self.troubles
        )
