"""What somebody called an agency, as it can be compared: however it is written. Pure."""

import re

from shared.runtime.seen_text import plain

_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u03bf\u03b1\u03b5\u03b9",
    "aeopcyxijshoaei",
)
"""Letters of Cyrillic and Greek that look like Latin ones."""
_APART = re.compile(r"[^0-9a-z]+")
_INITIALS = re.compile(r"\b(?:[a-z] )+[a-z]\b")


def canonical(name: str) -> str:
    """Small letters and digits with single blanks between: "Ansonia  P. D." is "ansonia pd"."""
    words = _APART.sub(" ", plain(name).casefold().translate(_ALIKE)).strip()
    return _INITIALS.sub(lambda found: found.group().replace(" ", ""), words)


def squashed(name: str) -> str:
    """The same without blanks, to be looked for within another."""
    return canonical(name).replace(" ", "")
