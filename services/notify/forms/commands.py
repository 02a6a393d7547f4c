"""python -m services.notify forms …

render FILE.json OUT.pdf    a form as PDF, for a desk: as decrypted, or - for standard input
schema dcf-737|dcf-823      the published JSON Schema
"""

import argparse
import os
import sys
from pathlib import Path

from pydantic import ValidationError

from services.notify.forms.schemas import PUBLISHED, published, read

FORMS = "forms"


def run_forms(argv: list[str]) -> int:
    """Exit code 1: the form is not one, or the PDF could not be written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.notify {FORMS}",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("render", help="a form as PDF")
    rendering.add_argument("form", metavar="FILE.json")
    rendering.add_argument("pdf", metavar="OUT.pdf", type=Path)
    commands.add_parser("schema").add_argument("name", choices=sorted(PUBLISHED))
    chosen = parser.parse_args(argv)
    if chosen.command == "schema":
        sys.stdout.write(published(chosen.name))
        return 0
    return _render(chosen.form, chosen.pdf)


def _render(source: str, target: Path) -> int:
    from services.notify.forms.typesetting import Unprintable, typesetter

    try:
        text = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        pdf = typesetter().pdf(read(text))
        _write(target, pdf)
    except ValidationError as error:
        return _refused(_sentence(error))
    except OSError as error:
        return _refused(f"{error.filename}: {error.strerror}.")
    except Unprintable as error:
        return _refused(f"{error}.")
    return 0


def _write(target: Path, pdf: bytes) -> None:
    """For its owner's eyes only, and never through or over another file."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pdf)


def _sentence(error: ValidationError) -> str:
    """Where the form is wrong; never what stands there."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = "/".join(str(step) for step in first["loc"][1:])
    return f"This is no form: /{place}: {first['msg']}."


def _refused(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
