"""The offline verifier: is this export what the log signed?

    python -m services.audit.verify DIR [--checkpoint NOTE] [--key VKEY]

DIR is a folder written by `python -m services.audit export`. NOTE is a checkpoint that you kept;
VKEY the log's public key, from elsewhere than the folder. Exit code 0: verified; 1: something is
not what was signed, and the first bad entry is named; 2: what you gave cannot be judged.

It needs Python, `cryptography`, and of ours this file, evidence.py, walk.py, note.py and tlog.py.
"""

import argparse
import sys
from pathlib import Path

from services.audit.evidence import Report, Unusable, examine
from services.audit.note import MAX_NOTE_BYTES, BadNote, PublicKey, parse_vkey


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        keys = tuple(_key(vkey) for vkey in arguments.key)
        held = _held(arguments.checkpoint) if arguments.checkpoint else None
        report = examine(arguments.directory, held, keys)
    except Unusable as error:
        return _say(2, f"Not judged: {error}")
    except OSError as error:
        return _say(2, f"Not judged: {error.filename} cannot be read ({error.strerror}).")
    except Exception as error:  # A stranger gets a sentence, whatever they hand in.
        return _say(2, f"Not judged: the folder cannot be read ({type(error).__name__}).")
    return _say(1 if report.sentences else 0, *_words(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.audit.verify",
        description="Is this export of the audit log what the log signed?",
        epilog="Exit code: 0 verified, 1 not what was signed, 2 cannot be judged.",
    )
    parser.add_argument("directory", type=Path, help="the exported folder")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint (signed note) that you kept")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="the log's public key, name+id+base64, from elsewhere; may be repeated",
    )
    return parser


def _key(vkey: str) -> PublicKey:
    try:
        return parse_vkey(vkey)
    except BadNote as error:
        raise Unusable(f"the key you gave is of no use: {error}.") from None


def _held(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1)


def _words(report: Report) -> list[str]:
    if report.sentences:
        lines = ["NOT VERIFIED", *report.sentences]
        if report.first_bad is None:
            lines.append("No entry is bad; what lies beside them was changed or damaged.")
        else:
            lines += [_first_bad(report.first_bad, report.latest), *_proven(report)]
        return lines
    lines = [
        f"VERIFIED: {report.entries} entries of the log {report.origin} are what it signed, "
        f"by {report.checkpoints} checkpoint(s)."
    ]
    if report.held is not None:
        lines.append(f"They begin with the {report.held.size} entries of the checkpoint you hold.")
    if not report.keys_given:
        lines.append("The key is the export's own. Compare it with one you have from elsewhere:")
        lines += [key.vkey for key in report.keys]
    return lines


def _first_bad(first: int, latest: int | None) -> str:
    if latest is None or latest == first:
        return f"First bad index: {first}."
    return f"First bad index: {first} at the earliest, {latest} at the latest."


def _proven(report: Report) -> list[str]:
    proven, first = report.proven, report.first_bad or 0
    lines = [f"Entries 0 to {proven - 1} are what was signed." if proven else "No entry is proven."]
    if proven < first:
        lines.append(f"Entries {proven} to {first - 1} are not proven either way.")
    return lines


def _say(code: int, *lines: str) -> int:
    """Print with nothing in it that a terminal would obey: names come from the export."""
    for line in lines:
        print("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line))
    return code


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
