"""What a trace may hold: every name of a span, and every attribute with the form of its value.

Anything else is left out by the exporter and counted, and so is every event and every status text
of a span: an exception's may quote what a person typed (P5). There is no agency and no town: a
notice that is held or refused would betray a conflict by either.
"""

import re

SPANS = re.compile(
    r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|other) (none|(/[A-Za-z0-9_.:{}-]*)+)"
    r"|(publish|receive) [a-z]+|handle hartline\.[a-z0-9_.]+|attempt|acknowledge"
)

_WORD = r"[A-Za-z_][A-Za-z0-9_.]{0,63}"
_NUMBER = r"[0-9]{1,10}"

OF_LOGS = "hartline."
"""What follows this in an attribute's name is a field that logs may hold too."""

ATTRIBUTES: dict[str, re.Pattern[str]] = {
    name: re.compile(form)
    for name, form in {
        "http.request.method": "[A-Za-z]{1,10}",
        "http.route": r"none|(/[A-Za-z0-9_.:{}-]*)+",
        "http.response.status_code": "[0-9]{3}",
        "messaging.destination.name": "[a-z]+",
        "error.type": _WORD,
        f"{OF_LOGS}referral_id": "ref_[0-9a-f]{32}",
        f"{OF_LOGS}notice": "ntc_[0-9a-f]{32}",
        f"{OF_LOGS}version": _NUMBER,
        f"{OF_LOGS}outcome": "accepted|rejected|not_sent|unknown",
    }.items()
}


def permitted(name: str, value: object) -> bool:
    form = ATTRIBUTES.get(name)
    return form is not None and form.fullmatch(str(value)) is not None
