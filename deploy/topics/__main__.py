"""Kafka's topics and permissions by file.

python -m deploy.topics check                 read the files and ask nobody
python -m deploy.topics compare               what would be changed, and under which number
python -m deploy.topics apply NUMBER          change that and nothing else

  --topics FILE   deploy/kafka/topics.yaml, or topics-three-brokers.yaml beside it
  --acls FILE     deploy/kafka/acls.yaml; `none` leaves permissions alone

Which brokers, and how to prove oneself to them, say HARTLINE_BUS and HARTLINE_KAFKA_*: a
superuser's, since nobody else may do this. Exit code 0: the brokers are as the files say; 1: they
are not; 2: it cannot be known, or the files are broken.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from deploy.topics.cluster import Brokers, Refused, open_brokers
from deploy.topics.files import wanted
from deploy.topics.plan import Cluster, Plan, compare
from deploy.topics.settings import where
from shared.runtime.errors import Misconfigured

_FOLDER = Path(__file__).parent.parent / "kafka"


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it, we say
    try:
        acls = None if arguments.acls == Path("none") else arguments.acls
        files = wanted(arguments.topics, acls)
        if arguments.command == "check":
            print(f"{len(files.topics)} topics, {len(files.acls or ())} permissions: well formed")
            return 0
        return asyncio.run(_run(arguments.command, files, getattr(arguments, "number", None)))
    except (Misconfigured, Refused) as error:
        sys.stderr.write(f"{error}\n")
        return 2


async def _run(command: str, files: Cluster, number: str | None) -> int:
    async with open_brokers(*where()) as brokers:
        plan = compare(files, await brokers.look(files.topics))
        _show(plan)
        if command == "compare":
            if plan.changes:
                print(f"To do this and nothing else: apply {plan.id}")
            return int(bool(plan.changes or plan.findings))
        if number != plan.id:
            raise Misconfigured(
                f"Nothing was changed: {number} is not what would be done now. Read the list "
                f"above, then apply {plan.id}."
            )
        await _apply(brokers, plan)
        return int(bool(plan.findings))


async def _apply(brokers: Brokers, plan: Plan) -> None:
    for done, change in enumerate(plan.changes, start=1):
        try:
            await brokers.apply(change)
        except Refused as refused:
            rest = len(plan.changes) - done + 1
            raise Refused(f"{change}: {refused}. {rest} not done: compare again.") from None
        print(f"{done}/{len(plan.changes)} done: {change}", flush=True)


def _show(plan: Plan) -> None:
    for change in plan.changes:
        print(f"would {change}")
    for finding in plan.findings:
        print(f"a person must see to it: {finding}")
    if not plan.changes and not plan.findings:
        print("the brokers are as the files say")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.topics",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("check", "compare", "apply"):
        command = commands.add_parser(name)
        command.add_argument("--topics", type=Path, default=_FOLDER / "topics.yaml")
        command.add_argument("--acls", type=Path, default=_FOLDER / "acls.yaml")
        if name == "apply":
            command.add_argument("number", help="what `compare` printed")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
