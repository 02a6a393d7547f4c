"""Commands of the audit service that need more than one line: recovery and evidence."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from services.audit import packing, recovering
from services.audit.anchors import Unusable
from services.audit.note import MAX_NOTE_BYTES, PublicKey
from services.audit.retracing import retrace
from services.audit.settings import AuditSettings
from shared.runtime.acts import account
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured


async def recover(
    argv: list[str], settings: AuditSettings, db: Database, keys: Sequence[PublicKey]
) -> int:
    """Exit code 0; what stands in the way is Misconfigured."""
    arguments = _recover_parser().parse_args(argv)
    if arguments.way == "traces":
        return await _retrace(arguments, " ".join(["recover", *argv]), db)
    dsn = settings.dsn.get_secret_value()
    if arguments.way == "from-export":
        held = read_note(arguments.checkpoint) if arguments.checkpoint else None
        try:
            done = await recovering.from_export(db, dsn, arguments.directory, keys, held)
        except Unusable as error:
            raise Misconfigured(str(error)) from None
        then = "Start the service; then send the events since that export again (docs/audit.md)."
    else:
        note = read_note(arguments.last)
        done = await recovering.new_origin(db, dsn, arguments.origin, note, keys, arguments.reason)
        then = (
            f"{done.lost} entries are admitted as lost. Set HARTLINE_AUDIT_ORIGIN to "
            f"{arguments.origin}, give its key to every witness, start the service, and send the "
            "events of the lost time again (docs/audit.md)."
        )
    sys.stdout.write(f"The log has {done.size} entries, {done.added} of them new. {then}\n")
    return 0


async def _retrace(arguments: argparse.Namespace, typed: str, db: Database) -> int:
    found = await retrace(db, typed, arguments.by, dry_run=arguments.dry_run)
    did = "lack" if arguments.dry_run else "lacked"
    sys.stdout.write(
        f"{found.lacking} of {found.entries} entries {did} something that they are found by.\n"
    )
    return 0


def _recover_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.audit recover",
        description="Go on after a restore. Stop the service first (but for `traces`); see "
        "docs/audit.md.",
    )
    ways = parser.add_subparsers(dest="way", required=True)
    export = ways.add_parser("from-export", help="bring back what a newer export holds")
    export.add_argument("directory", type=Path)
    export.add_argument("--checkpoint", type=Path, help="the newest checkpoint that anybody kept")
    origin = ways.add_parser("new-origin", help="go on under a new name, admitting what was lost")
    origin.add_argument("origin", help="the new name of the log")
    origin.add_argument("--last", type=Path, required=True, help="the newest checkpoint known")
    origin.add_argument("--reason", choices=recovering.REASONS, required=True)
    traces = ways.add_parser("traces", help="make entries found that an old from-export brought")
    traces.add_argument("--dry-run", action="store_true", help="say how many, and do nothing")
    traces.add_argument("--by", default=account(), help="who decides this; else the login's name")
    return parser


def read_note(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None


async def evidence(argv: list[str], db: Database, keys: Sequence[PublicKey]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services.audit evidence",
        description="Write a folder with every entry about one referral, call, child or "
        "disclosure, which a stranger verifies.",
    )
    parser.add_argument("subject", help="its id: ref_…, cal_…, chd_… or dsc_…")
    parser.add_argument("directory", type=Path, help="a new folder")
    arguments = parser.parse_args(argv)
    count = await packing.pack(db, arguments.subject, arguments.directory, keys)
    sys.stdout.write(f"{count} entries written to {arguments.directory}; its README.txt is next.\n")
    return 0
