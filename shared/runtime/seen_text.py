"""A text as a reader sees it, and where in the original each of its characters stands. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[\t\n\r -~]*")
_UNSEEN = frozenset(["Cf", "Mn", "Me", "Cc"])
_BLANKS = frozenset("\u115f\u1160\u2800")
"""Letters and signs that show nothing, beside those whose category says so."""

_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb"
    "\u0432\u043a\u043c\u043d\u0442"
    "\u03bf\u03b1\u03b5\u03b9\u03b2\u03b6\u03b7\u03ba\u03bc\u03bd\u03c1\u03c4\u03c5\u03c7\u0131",
    "aeopcyxijshbkmhtoaeibzhkmnptyxi",
)
"""Letters of Cyrillic and Greek that look like Latin ones, as small or as capital letters."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`places`: the index in the original of each character; the original's length at the end."""

    text: str
    places: Sequence[int]

    def within(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original, with what is not seen after it."""
        return self.places[start], max(self.places[end - 1] + 1, self.places[end])


def seen(text: str) -> Seen:
    """Full-width letters, ligatures and accents made plain (NFKC, then no marks), and nothing
    invisible."""
    if _PLAIN.fullmatch(text):
        return Seen(text, range(len(text) + 1))
    found = [
        (each, place)
        for place, char in enumerate(text)
        for each in unicodedata.normalize("NFKD", char)
        if each in "\t\n\r" or not (unicodedata.category(each) in _UNSEEN or each in _BLANKS)
    ]
    return Seen("".join(each for each, _ in found), [*(place for _, place in found), len(text)])


def plain(text: str) -> str:
    return seen(text).text


def alike(text: str) -> str:
    """Equal for texts that a reader would hardly tell apart: no capitals, and of letters that look
    like Latin ones the Latin ones."""
    return plain(text).casefold().translate(_ALIKE)
