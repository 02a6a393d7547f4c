"""A text as a reader sees it, and where in the original each of its characters stands. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[\t\n\r -~]*")
_UNSEEN = frozenset(["Cf", "Mn", "Me", "Cc"])
_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u043a\u0501"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u03bf\u03b1\u03b5\u03b9\u03ba\u03bd\u03c1"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijshkdABEKMHOPCTYXIJSoaeikvpABEZHIKMNOPTYX",
)
"""Letters of Cyrillic and Greek that look like Latin ones."""
_BLANKS = frozenset("\u115f\u1160\u2800")
"""Letters and signs that show nothing, beside those whose category says so."""


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
    """For comparing: what looks alike is alike, in capitals or not."""
    return plain(text).translate(_ALIKE).casefold()


def same_person(one: str, other: str) -> bool:
    """Whether two subjects of tokens look like one person's: who is to be a second person must not
    be the first one with a blank behind the name, or a letter of another alphabet in it."""
    return "".join(alike(one).split()) == "".join(alike(other).split())
