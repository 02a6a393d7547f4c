"""The fonts that forms are printed with, and what to print of a character that none of them has.

A notice that silently loses a character of a name is worse than an ugly one, so what cannot be
shown is shown as `[U+2A6D6]`, its Unicode number.
"""

import re
import struct
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path

FOLDER = Path(__file__).parent / "fonts"
_DROPPED = re.compile("[\u00ad\u200b\u200e\u200f\u2060\u061c\ufeff\ufe0e\ufe0f]")
"""Invisible, and without a meaning on paper."""
_SPACES = re.compile("[\\t\\v\\f\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_LINES = re.compile("\r\n?|\u0085|\u2028|\u2029")
_JOINERS = "\u200c\u200d"
_REORDERING = frozenset(chain(range(0x202A, 0x202F), range(0x2066, 0x206A)))
"""Override the direction, so that text reads as something else: always shown as a number."""
_LONGEST = 40
_UNBROKEN = re.compile(rf"[!-~]{{{_LONGEST + 1},}}")
"""A web address does not break by itself, and would run off the page."""


def printable(text: str) -> str:
    """The text as it can be printed: the same, but for what has no glyph or no place on paper."""
    if not (text.isascii() and text.isprintable()):
        text = _shown(text)
    if len(text) > _LONGEST and max(map(len, text.split()), default=0) > _LONGEST:
        return _UNBROKEN.sub(_breakable, text)
    return text


def is_right_to_left(text: str) -> bool:
    """Whether its first letter is, as for a paragraph (UAX 9, P2)."""
    if text.isascii():
        return False
    strong = (unicodedata.bidirectional(each) for each in text)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"


def numbers_in(text: str) -> bool:
    """Whether a character of it was replaced by its number."""
    return "[U+" in text and re.search(r"\[U\+[0-9A-F]{4,6}\]", text) is not None


@cache
def coverage() -> Mapping[str, frozenset[int]]:
    """Font file → the code points it has a glyph for. Bold is for labels, which are ours."""
    files = (path for path in sorted(FOLDER.glob("*.ttf")) if "Bold" not in path.name)
    return {path.name: frozenset(_mapped(path.read_bytes())) for path in files}


def _shown(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    points = frozenset(map(ord, text))  # far faster than to search for a class of thousands
    if not points <= _plain():
        text = _SPACES.sub(" ", _LINES.sub("\n", _DROPPED.sub("", text)))
        text = _unshowable().sub(_number, text)
    if not points.isdisjoint(_combining()):
        text = _cluster().sub(_one_font, text)
    return text


def _number(match: re.Match[str]) -> str:
    return "".join(f"[U+{ord(each):04X}]" for each in match[0])


def _breakable(match: re.Match[str]) -> str:
    word = match[0]
    return "\u200b".join(word[at : at + _LONGEST] for at in range(0, len(word), _LONGEST))


def _one_font(match: re.Match[str]) -> str:
    """A letter and its marks are drawn by one font, or the marks are shown as numbers."""
    cluster = match[0]
    points = {ord(each) for each in cluster if each not in _JOINERS}
    if any(points <= font for font in coverage().values()):
        return cluster
    return cluster[0] + "".join(f"[U+{ord(each):04X}]" for each in cluster[1:])


@cache
def _showable() -> frozenset[int]:
    shown = frozenset().union(*coverage().values()) - _REORDERING - frozenset(range(0x20))
    return (shown | {0x0A, *map(ord, _JOINERS)}) - frozenset(range(0x7F, 0xA0))


@cache
def _plain() -> frozenset[int]:
    treated = re.compile(f"{_DROPPED.pattern}|{_SPACES.pattern}|{_LINES.pattern}")
    return frozenset(each for each in _showable() if not treated.match(chr(each)))


@cache
def _unshowable() -> re.Pattern[str]:
    return re.compile(f"[^{_ranges(_showable())}]+")


@cache
def _cluster() -> re.Pattern[str]:
    marks = _ranges(_combining() | {*map(ord, _JOINERS)})
    return re.compile(f"[^{marks}\\n]?[{marks}]+")


@cache
def _combining() -> frozenset[int]:
    points = range(0x300, sys.maxunicode + 1)
    return frozenset(each for each in points if unicodedata.category(chr(each))[0] == "M")


def _ranges(points: frozenset[int]) -> str:
    """The inside of a character class."""
    parts: list[list[int]] = []
    for point in sorted(points):
        if parts and parts[-1][1] == point - 1:
            parts[-1][1] = point
        else:
            parts.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in parts)


def _mapped(font: bytes) -> Iterator[int]:
    """The code points of a TrueType font's `cmap`, formats 4 and 12."""
    tables = struct.unpack_from(">H", font, 4)[0]
    records = (struct.unpack_from(">4sIII", font, 12 + 16 * index) for index in range(tables))
    start = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    for index in range(struct.unpack_from(">H", font, start + 2)[0]):
        place = start + struct.unpack_from(">I", font, start + 8 + 8 * index)[0]
        kind = struct.unpack_from(">H", font, place)[0]
        if kind == 4:
            yield from _segments(font, place)
        elif kind == 12:
            for group in range(struct.unpack_from(">I", font, place + 12)[0]):
                first, last, glyph = struct.unpack_from(">III", font, place + 16 + 12 * group)
                yield from range(first + (glyph == 0), last + 1)


def _segments(font: bytes, place: int) -> Iterator[int]:
    count = struct.unpack_from(">H", font, place + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", font, place + 14)
    starts = struct.unpack_from(f">{count}H", font, place + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", font, place + 16 + 4 * count)
    table = place + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", font, table)
    for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for point in range(first, min(last, 0xFFFE) + 1):
            glyph = point
            if offsets[index]:
                at = table + 2 * index + offsets[index] + 2 * (point - first)
                glyph = struct.unpack_from(">H", font, at)[0]
                if glyph == 0:
                    continue
            if (glyph + deltas[index]) & 0xFFFF:
                yield point
