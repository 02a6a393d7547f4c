"""What takes two people: who counts as another one, and what counts as a reason. Pure."""

import argparse
import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from shared.runtime.errors import Wrong
from shared.runtime.seen_text import alike, plain

_APART = re.compile(r"[\W_]+")


def same_person(one: str, other: str | None) -> bool:
    """Whether two subjects may be one person's, as two issuers write it, or a careful eye reads it:
    capitals, blanks, punctuation, accents and look-alike letters make no second person."""
    return other is not None and _read(one) == _read(other)


def _read(subject: str) -> str:
    return _APART.sub(" ", alike(subject)).strip()


def not_blank(text: str) -> str:
    """The text. Raises Wrong where nobody could see anything of it."""
    if not plain(text).strip():
        raise Wrong("must not be blank")
    return text


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=500),
    AfterValidator(not_blank),
]
"""Why, in a person's words, for the record; nothing about a child."""


def typed_reason(text: str) -> str:
    """The same of a command's argument, for argparse."""
    try:
        return not_blank(text.strip())
    except Wrong as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
