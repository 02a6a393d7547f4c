"""A page set by typst in memory: no file is written; the template and our fonts alone are read."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from shared.typesetting.fonts import FOLDER, coverage


class Unprintable(Exception):
    """A page could not be set. What it holds is in no error text."""


class Press:
    """Sets pages by one template. Keep it: what it read and set before makes the next page fast.

    `show` is the template's function of the data, which comes with `fonts`, and of the document's
    title. Safe to call from several threads; they take turns.
    """

    def __init__(self, template: Path, show: str) -> None:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FOLDER)]
        )
        self._compiler = typst.Compiler(root=str(template.parent), font_paths=fonts)
        # Imported and not pasted in: typst then remembers the template as a whole.
        self._source = f'#import "/{template.name}": {show}\n#{show}'
        self._families = _in_order(fonts)
        self._lock = Lock()

    def pdf(self, data: Mapping[str, Any], title: str, at: datetime) -> bytes:
        """Tagged PDF/UA-1; equal data make equal bytes. Raises Unprintable."""
        needed = self._needed(json.dumps(data, ensure_ascii=False))
        content = json.dumps({**data, "fonts": needed})
        source = f"{self._source}(json(bytes({_literal(content)})), {_literal(title)})"
        try:
            with self._lock:
                made = self._compiler.compile(
                    input=source.encode(),
                    format="pdf",
                    timestamp=int(at.timestamp()),
                    pdf_standards=["ua-1"],
                )
        except typst.TypstError:
            raise Unprintable("typst could not set the page") from None
        if not isinstance(made, bytes):
            raise Unprintable("typst set no PDF")
        return made

    def _needed(self, text: str) -> list[str]:
        """The families with a glyph that the main one lacks: typst would try every other in vain.

        All of them that have it, so that a letter and its marks find the one that has both.
        """
        main, *others = self._families
        lacking = frozenset() if text.isascii() else {*map(ord, text)} - self._families[main]
        return [main, *(each for each in others if not lacking.isdisjoint(self._families[each]))]


def _literal(text: str) -> str:
    """A string of typst's. Only quotes and backslashes mean anything in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_order(fonts: typst.Fonts) -> dict[str, frozenset[int]]:
    """What each family covers, the main one first.

    Chinese letters from Droid only; Nanum has some, and Korean's own.
    """
    last = {"Droid Sans Fallback": 1, "NanumSquare": 2}
    covers = coverage()
    found = {
        each.family: covers[name]
        for each in fonts.fonts()
        if each.path is not None and (name := Path(each.path).name) in covers
    }
    order = sorted(found, key=lambda each: (each != "Noto Sans", last.get(each, 0), each))
    return {each: found[each] for each in order}
