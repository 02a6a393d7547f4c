"""What a run has shown, as a small table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.diary import Diary
from tests.chaos.points import POINTS

_SHOWN = 5


@dataclass
class Findings:
    """By what is to be nothing: the cases that there are."""

    wrong: dict[str, Sequence[str]] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        return not any(self.wrong.values())


def table(diary: Diary, findings: Findings) -> str:
    lines = [*_kills(diary), "", *_frozen(diary), ""]
    lines += [f"  {what:<34}{value!s:>9}" for what, value in findings.facts.items()]
    lines += ["", "  must be none"]
    for what, cases in findings.wrong.items():
        lines.append(f"  {what:<34}{len(cases):>9}")
        lines += [f"      {case}" for case in cases[:_SHOWN]]
    return "\n".join(lines)


def _kills(diary: Diary) -> list[str]:
    """By service: deaths at named points, how many points that were of how many, and at random."""
    lines = [f"  {'SIGKILL':<16}{'at points':>10}{'points hit':>12}{'at random':>11}"]
    for service, points in POINTS.items():
        hits = {point: diary.kills[point] for point in points if diary.kills[point]}
        hit = f"{len(hits)}/{len(points)}"
        rest = diary.kills[f"{service} at random"]
        lines.append(f"  {service:<16}{sum(hits.values()):>10}{hit:>12}{rest:>11}")
    lines += [
        f"  {server:<16}{'':>10}{'':>12}{diary.kills[server]:>11}"
        for server in ("postgresql", "kafka")
        if diary.kills[server]
    ]
    return [*lines, f"  {'all':<16}{diary.kills.total():>33}"]


def _frozen(diary: Diary) -> list[str]:
    lines = [f"  {'SIGSTOP':<16}{'woken':>10}{'longest':>12}"]
    return lines + [
        f"  {whom:<16}{times:>10}{diary.longest[whom]:>10.0f} s"
        for whom, times in sorted(diary.woken.items())
    ]


def kinds(log: Sequence[Mapping[str, object]]) -> str:
    return " ".join(f"{kind} {n}" for kind, n in sorted(Counter(e["kind"] for e in log).items()))
