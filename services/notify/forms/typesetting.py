"""Forms as PDF, set by typst in memory."""

from functools import cache
from pathlib import Path

from services.notify.forms.page import document_title, page, timestamp
from services.notify.forms.schemas import Dcf737, Dcf823, read
from shared.typesetting.press import Press, Unprintable

__all__ = ["Typesetter", "Unprintable", "render", "typesetter"]

_TEMPLATE = Path(__file__).with_name("form.typ")


class Typesetter:
    """Sets forms. Keep one: what it has read of the fonts makes the next form fast."""

    def __init__(self) -> None:
        self._press = Press(_TEMPLATE, "show-form")

    def pdf(self, form: Dcf737 | Dcf823) -> bytes:
        """Tagged PDF/UA-1; equal forms make equal bytes. Raises Unprintable."""
        return self._press.pdf(page(form), document_title(form), timestamp(form))


@cache
def typesetter() -> Typesetter:
    """The process's own, made when first asked for."""
    return Typesetter()


def render(form: bytes | str) -> bytes:
    """The PDF of a form, from its JSON. Raises pydantic.ValidationError or Unprintable.

    About 10 ms of one core, so call it in a thread where an event loop runs.
    """
    return typesetter().pdf(read(form))
