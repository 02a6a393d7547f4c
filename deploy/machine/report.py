"""The one-machine run in words and tables."""

from collections.abc import Iterable, Sequence

from deploy.machine.machine import SERVICES, Machine
from deploy.machine.way import Result


def of_result(result: Result) -> str:
    """Who got what after how many milliseconds, the clocks, and the proofs."""
    notices = [
        (
            notice["recipient"] or "nobody on file",
            notice["role"],
            f"v{notice['version']} {notice['kind']}",
            notice["state"],
            f"{notice['ms']:.0f} ms" if "ms" in notice else "not received",
        )
        for notice in sorted(result.notices, key=lambda notice: notice.get("ms", 1e9))
    ]
    clocks = [(clock["policy"], clock["state"], clock["due_at"]) for clock in result.clocks]
    lines = [
        f"Referral {result.number} (synthetic) accepted after {result.accepted_ms:.0f} ms.",
        "",
        *_table(("who was told", "as", "what", "state", "verified after"), notices),
        "",
        *_table(("clock", "state", "due"), clocks),
        "",
        f"{result.disclosures} disclosures recorded; {result.proofs} entries of the log (of "
        f"{result.log_size}) hold them and their outcomes, each with a proof that verifies.",
    ]
    if result.problems:
        lines += ["", "NOT AS IT MUST BE:", *(f"  - {problem}" for problem in result.problems)]
    return "\n".join(lines)


def where_to_look(machine: Machine, referral_id: str) -> str:
    """What to try next, printed when everything is up."""
    ports = machine.ports
    rows = [
        (
            name,
            f"http://127.0.0.1:{getattr(ports, name)}",
            f"http://127.0.0.1:{getattr(ports, f'{name}_ops')}/metrics",
        )
        for name in SERVICES
    ]
    notices = f"http://127.0.0.1:{ports.notify}/v1/referrals/{referral_id}/notices"
    return "\n".join(
        [
            *_table(("service", "API", "operations"), rows),
            "",
            f"received   http://127.0.0.1:{ports.agencies}/received   (the sample agencies)",
            f"logs       {machine.home.logs}",
            'token      make -s token SCOPE="tasks:read clocks:read"   (valid ten minutes)',
            'look       TOKEN=$(make -s token SCOPE="notices:read notices:read-all")',
            '           curl -H "Authorization: Bearer $TOKEN" \\',
            f"                {notices}",
            "stop       Ctrl-C here, or `make down`",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return [padded[0], "  " + "  ".join("-" * width for width in widths), *padded[1:]]
