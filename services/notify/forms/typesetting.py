"""Forms as PDF, set by typst in memory: no file is written, and none is read but our fonts."""

import json
from functools import cache
from pathlib import Path
from threading import Lock

import typst

from services.notify.forms.fonts import FOLDER
from services.notify.forms.page import Page, document_title, page, timestamp
from services.notify.forms.schemas import Dcf737, Dcf823, read

_TEMPLATE = Path(__file__).with_name("form.typ").read_text(encoding="utf-8")


class Unprintable(Exception):
    """A form could not be set. What it holds is in no error text."""


class Typesetter:
    """Sets forms. Keep one: what it has read of the fonts makes the next form fast.

    Safe to call from several threads; they take turns.
    """

    def __init__(self) -> None:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FOLDER)]
        )
        self._compiler = typst.Compiler(root=str(FOLDER), font_paths=fonts)
        self._families = _in_order(fonts.families())
        self._lock = Lock()

    def pdf(self, form: Dcf737 | Dcf823) -> bytes:
        """Tagged PDF/UA-1; equal forms make equal bytes. Raises Unprintable."""
        source = self._source(page(form), document_title(form))
        try:
            with self._lock:
                made = self._compiler.compile(
                    input=source,
                    format="pdf",
                    timestamp=int(timestamp(form).timestamp()),
                    pdf_standards=["ua-1"],
                )
        except typst.TypstError:
            raise Unprintable("typst could not set the form") from None
        if not isinstance(made, bytes):
            raise Unprintable("typst set no PDF")
        return made

    def _source(self, body: Page, title: str) -> bytes:
        data = json.dumps({**body, "fonts": self._families})
        return f"{_TEMPLATE}\n#show-form(json(bytes({_literal(data)})), {_literal(title)})".encode()


@cache
def typesetter() -> Typesetter:
    """The process's own, made when first asked for."""
    return Typesetter()


def render(form: bytes | str) -> bytes:
    """The PDF of a form, from its JSON. Raises pydantic.ValidationError or Unprintable.

    About 10 ms of one core, so call it in a thread where an event loop runs.
    """
    return typesetter().pdf(read(form))


def _literal(text: str) -> str:
    """A string of typst's. Only quotes and backslashes mean anything in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_order(families: list[str]) -> list[str]:
    """The main family first. Chinese letters from Droid only; Nanum has some, and Korean's own."""
    last = {"Droid Sans Fallback": 1, "NanumSquare": 2}
    return sorted(families, key=lambda each: (each != "Noto Sans", last.get(each, 0), each))
