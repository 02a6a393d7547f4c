"""Forms DCF-737 and DCF-823 for tests, and what a reader of their PDF finds in it."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pypdfium2

from deploy.machine.home import ROOT

PARTNERS = ROOT / "docs" / "partners"
EXAMPLES = sorted((PARTNERS / "examples").glob("dcf-*.json"))
PROFILES = ROOT / "services" / "intake" / "profiles.yaml"

Form = dict[str, Any]


def example(name: str = "dcf-737.original") -> Form:
    form: Form = json.loads((PARTNERS / "examples" / f"{name}.json").read_text())
    return form


def of_child(child: Form) -> bytes:
    """An original DCF-737 that says `child`."""
    form = example()
    return json.dumps({**form, "child": {"child_id": form["child"]["child_id"], **child}}).encode()


def schema(path: Path) -> Form:
    """The published schema of an example: its name up to the first dot."""
    found: Form = json.loads((PARTNERS / f"{path.name.split('.')[0]}.schema.json").read_text())
    return found


def pages(pdf: bytes) -> int:
    return len(pypdfium2.PdfDocument(pdf))


def words(text: str) -> list[str]:
    """Runs of letters and digits: what is left when lines, direction and spacing differ."""
    text = unicodedata.normalize("NFKC", text.replace("\u200b", ""))
    return [
        part
        for word in re.findall(r"[^\W_]+", text)
        for part in re.findall(r"[\u0590-\u06ff]+|\d+|[^\d\u0590-\u06ff]+", word)
    ]


def squeezed(pdf: bytes) -> str:
    """All the text of a PDF without spaces and line breaks."""
    document = pypdfium2.PdfDocument(pdf)
    text = "".join(page.get_textpage().get_text_bounded() for page in document)
    return re.sub(r"[\s\u200b\u0002]+", "", unicodedata.normalize("NFKC", text))


def missing(text: str, pdf: bytes) -> list[str]:
    """The words of a text that are not in the PDF."""
    printed = squeezed(pdf)
    return [word for word in words(text) if word not in printed]
