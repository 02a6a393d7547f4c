"""The offline verifier: is this export what the log signed?

    python -m services.audit.verify DIR [--checkpoint NOTE] [--key VKEY] [--witness VKEY]

DIR is a folder written by `python -m services.audit export` (the whole log) or `… evidence` (some
of its entries, each with a proof). NOTE is a checkpoint that you kept; the VKEYs are the public
keys of the log and of a witness, from elsewhere than the folder. Exit code 0: verified; 1:
something is not what was signed, and the first bad entry is named; 2: what you gave cannot be
judged.

It needs Python, `cryptography`, and of ours the files in FILES.
"""

import argparse
import io
import sys
import time
from pathlib import Path

try:
    from services.audit.anchors import Unusable
    from services.audit.cosignature import WitnessKey, parse_witness_vkey
    from services.audit.evidence import Report, examine
    from services.audit.excerpt import PROOFS, examine_excerpt
    from services.audit.note import MAX_NOTE_BYTES, BadNote, PublicKey, parse_vkey
except ImportError as error:
    if __name__ != "__main__":
        raise
    print(f"Not judged: {error.name} cannot be used. Install the Python package cryptography.")
    sys.exit(2)

FILES = (
    "verify",
    "evidence",
    "excerpt",
    "anchors",
    "turns",
    "quick",
    "walk",
    "proofs",
    "cosignature",
    "note",
    "tlog",
)
"""Every file of ours that it needs, in services/audit/."""
_SPEAK_SECONDS = 2.0


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        keys = tuple(_key(vkey) for vkey in arguments.key)
        witnesses = tuple(_witness(vkey) for vkey in arguments.witness)
        held = _held(arguments.checkpoint) if arguments.checkpoint else None
        if (arguments.directory / PROOFS).is_dir():
            report = examine_excerpt(arguments.directory, held, keys, witnesses)
        else:
            report = examine(arguments.directory, held, keys, witnesses, _Speaking())
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
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="a witness's public key, from elsewhere: it must have cosigned; may be repeated",
    )
    return parser


class _Speaking:
    """Says on stderr how far it is, while it takes long."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()

    def __call__(self, entries: int) -> None:
        now = time.monotonic()
        if now - self._said >= _SPEAK_SECONDS:
            self._said = now
            rate = entries / (now - self._began)
            print(f"{entries:,} entries checked, {rate:,.0f} a second", file=sys.stderr)


def _witness(vkey: str) -> WitnessKey:
    try:
        return parse_witness_vkey(vkey)
    except BadNote as error:
        raise Unusable(f"the witness's key you gave is of no use: {error}.") from None


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
        lines = ["NOT VERIFIED", *report.sentences, *report.remarks]
        if report.first_bad is None:
            lines.append("No entry is bad; what lies beside them was changed or damaged.")
        else:
            lines.append(_first_bad(report.first_bad, report.latest))
            lines += _proven(report) if report.whole else []
        return lines
    what = "entries of" if report.whole else "entries, each with its proof, of"
    lines = [
        f"VERIFIED: {report.entries} {what} the log {report.origin} are what it signed, "
        f"by {report.checkpoints} checkpoint(s)."
    ]
    if report.whole and report.held is not None and not report.remarks:
        lines.append(f"They begin with the {report.held.size} entries of the checkpoint you hold.")
    lines += report.remarks
    lines += [f"{key.name} has cosigned {size} entries of it." for key, size in report.witnessed]
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
    sys.exit(main(sys.argv[1:]))
