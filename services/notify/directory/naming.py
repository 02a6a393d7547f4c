"""What somebody called an agency, as it can be compared: however it is written. Pure."""

import re

from shared.runtime.seen_text import alike

_APART = re.compile(r"[^0-9a-z]+")
_INITIALS = re.compile(r"\b(?:[a-z] )+[a-z]\b")


def canonical(name: str) -> str:
    """Small letters and digits with single blanks between: "Ansonia  P. D." is "ansonia pd"."""
    words = _APART.sub(" ", alike(name)).strip()
    return _INITIALS.sub(lambda found: found.group().replace(" ", ""), words)


def squashed(name: str) -> str:
    """The same without blanks, to be looked for within another."""
    return canonical(name).replace(" ", "")
