"""The minute after PostgreSQL came back: what waited for it is old, and is being taken up."""

from collections.abc import Sequence
from dataclasses import replace

from shared.runtime.findings import AGAIN, Finding
from shared.runtime.server_checks import STARTED

PROMPT = frozenset(
    {
        "outbox",
        "topic",
        "inbox",
        "gap",
        "audit_unsequenced",
        "audit_unsigned",
        "audit_uncosigned",
    }
)
"""What takes a moment in health."""


def eased(findings: Sequence[Finding]) -> list[Finding]:
    """The same; what is old by the outage says so."""
    if not any(each.says == STARTED for each in findings):
        return list(findings)
    return [_eased(each) if _is_prompt(each) else each for each in findings]


def _is_prompt(finding: Finding) -> bool:
    return finding.about.rpartition(", ")[2] in PROMPT


def _eased(finding: Finding) -> Finding:
    if finding.do.startswith(AGAIN):
        return finding
    return replace(finding, do=f"{AGAIN}: PostgreSQL was started just now. Then: {finding.do}")
