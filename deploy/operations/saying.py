"""The doctor's findings in plain words, the worst first, one cause once."""

import math
from collections.abc import Sequence

from deploy.operations.hosting import STANDS
from shared.runtime.findings import AGAIN, Finding, Level, worst

_WORDS = {Level.ACT: "NOW", Level.LOOK: "soon", Level.WELL: "well"}
EXITS = {
    Level.ACT: " The exit code says so too: 2, which make calls an error.",
    Level.LOOK: " The exit code says so too: 1, which make calls an error.",
    Level.WELL: "",
}
_VERDICTS = {
    Level.ACT: "Something is wrong: see NOW.",
    Level.LOOK: "Nothing is wrong now; see soon.",
    Level.WELL: "All is well.",
}

_AGAIN = "Nothing is known to be broken now; see again in a minute what waits."


def words(seconds: float) -> str:
    """A duration as a person says it: `4 min`, `2 h 10 min`, `3 days`."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours // 24} days"


def said_once(findings: Sequence[Finding]) -> list[Finding]:
    """What many looks found alike is one finding; what most of them found comes first among its
    like: one cause has many symptoms. A process that stands is the cause itself."""
    alike: dict[tuple[Level, str, str], list[str]] = {}
    wrong = [finding for finding in findings if finding.level is not Level.WELL]
    for finding in wrong:
        alike.setdefault((finding.level, finding.says, finding.do), []).append(finding.about)
    found = [
        (Finding(level, _names(about), says, do), len(about))
        for (level, says, do), about in alike.items()
    ]
    worst_first = sorted(found, key=lambda one: (-one[0].level, one[0].says != STANDS, -one[1]))
    return [
        *(each for each, _ in worst_first),
        *(each for each in findings if each.level is Level.WELL),
    ]


def _names(about: Sequence[str]) -> str:
    """`intake, clock`; of more than two, the services alone."""
    if len(about) <= 2:
        return " and ".join(about)
    services = dict.fromkeys(each.partition(",")[0] for each in about)
    return f"{', '.join(services)} ({len(about)} looks)"


def in_words(findings: Sequence[Finding], *, everything: bool) -> list[str]:
    """The lines to print. Without `everything`, what is well is only counted."""
    lines = [_verdict(findings), ""]
    for finding in said_once(findings):
        if finding.level is Level.WELL and not everything:
            continue
        lines.append(f"{_word(finding):5} {finding.about}: {finding.says}")
        lines += [f"      -> {finding.do}"] if finding.do else []
    count = sum(finding.level is Level.WELL for finding in findings)
    return [*lines, f"{count} of {len(findings)} looks found all well.{EXITS[worst(findings)]}"]


def _word(finding: Finding) -> str:
    return "again" if _is_soon_over(finding) else _WORDS[finding.level]


def _is_soon_over(finding: Finding) -> bool:
    return finding.level is Level.LOOK and finding.do.startswith(AGAIN)


def _verdict(findings: Sequence[Finding]) -> str:
    level = worst(findings)
    if level is Level.LOOK and any(_is_soon_over(each) for each in findings):
        return _AGAIN
    return _VERDICTS[level]
