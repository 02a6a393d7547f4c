"""A page set by typst in memory: no file is written, and none is read but our fonts."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any

import typst

from shared.typesetting.fonts import FOLDER


class Unprintable(Exception):
    """A page could not be set. What it holds is in no error text."""


class Press:
    """Sets pages. Keep one: what it has read of the fonts makes the next page fast.

    Safe to call from several threads; they take turns.
    """

    def __init__(self) -> None:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FOLDER)]
        )
        self._compiler = typst.Compiler(root=str(FOLDER), font_paths=fonts)
        self._families = _in_order(fonts.families())
        self._lock = Lock()

    def pdf(
        self, template: str, show: str, data: Mapping[str, Any], title: str, at: datetime
    ) -> bytes:
        """Tagged PDF/UA-1; equal data make equal bytes. Raises Unprintable.

        `show` is the template's function of the data, which comes with `fonts`, and of the
        document's title.
        """
        content = json.dumps({**data, "fonts": self._families})
        source = f"{template}\n#{show}(json(bytes({_literal(content)})), {_literal(title)})"
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


@cache
def press() -> Press:
    """The process's own, made when first asked for."""
    return Press()


def _literal(text: str) -> str:
    """A string of typst's. Only quotes and backslashes mean anything in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_order(families: list[str]) -> list[str]:
    """The main family first. Chinese letters from Droid only; Nanum has some, and Korean's own."""
    last = {"Droid Sans Fallback": 1, "NanumSquare": 2}
    return sorted(families, key=lambda each: (each != "Noto Sans", last.get(each, 0), each))
