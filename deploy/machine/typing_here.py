"""A finding's commands as whoever is on duty types them in this clone."""

import re
from dataclasses import replace

from shared.runtime.findings import Finding

LAUNCHER = "./hartline"
_FORMS = (
    (re.compile(r"python -m services\.(\w+)(?= )"), rf"{LAUNCHER} run \1"),
    (re.compile(r"python -m deploy\.machine(?= )"), LAUNCHER),
    (re.compile(r"python -m (?=\w)"), f"{LAUNCHER} -m "),
)
_REQUEST = re.compile(r"\bGET (/v1/[^\s,;)]*[^\s,;.)])")


def typed(finding: Finding) -> Finding:
    """What it asks of an API is asked of the service that it is about."""
    service = finding.about.partition(",")[0]
    return replace(finding, says=_typed(finding.says, service), do=_typed(finding.do, service))


def _typed(text: str, service: str) -> str:
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return _REQUEST.sub(rf"{LAUNCHER} ask {service} GET '\1'", text)
