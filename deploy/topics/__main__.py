"""Kafka's topics and permissions by file.

python -m deploy.topics check                 read the files and ask nobody
python -m deploy.topics compare               what would be changed, and under which number
python -m deploy.topics apply NUMBER          change that and nothing else
python -m deploy.topics pass-over             what of a lost past the groups would still read
python -m deploy.topics pass-over NUMBER      have them begin behind that (docs/restore.md)
python -m deploy.topics since MOMENT [TOPIC]  what the brokers took since then, a line of JSON each

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
from datetime import datetime
from pathlib import Path

from deploy.topics import passing
from deploy.topics.cluster import Brokers, Refused, open_brokers
from deploy.topics.files import read_acls, wanted
from deploy.topics.plan import Cluster, Plan, compare
from deploy.topics.settings import where
from deploy.topics.since import since
from shared.contracts.base import Topic
from shared.runtime.errors import Misconfigured

_FOLDER = Path(__file__).parent.parent / "kafka"


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it, we say
    try:
        if arguments.command == "pass-over":
            return asyncio.run(_pass_over(arguments.acls, arguments.number))
        if arguments.command == "since":
            return asyncio.run(_since(arguments.moment, arguments.topic))
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


async def _pass_over(acls: Path, number: str | None) -> int:
    servers, security = where()
    passages = await passing.find(servers, security, passing.readers(read_acls(acls)))
    for each in passages:
        print(each)
    if not passages:
        print("every group has read all that there is")
        return 0
    if number is None:
        print(f"To do this and nothing else: pass-over {passing.number(passages)}")
        return 1
    if number != passing.number(passages):
        raise Misconfigured(
            f"Nothing was changed: {number} is not what would be done now. If records still "
            "come in, something old still runs."
        )
    await passing.pass_over(servers, security, passages)
    print("Done: the groups begin behind it.")
    return 0


async def _since(moment: datetime, topics: list[Topic]) -> int:
    async for line in since(*where(), [each.value for each in topics or Topic], moment):
        print(line)
    return 0


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
    over = commands.add_parser("pass-over")
    over.add_argument("--acls", type=Path, default=_FOLDER / "acls.yaml")
    over.add_argument("number", nargs="?", help="what it printed without one")
    listed = commands.add_parser("since")
    listed.add_argument("moment", type=datetime.fromisoformat, help="ISO 8601 with its offset")
    listed.add_argument("topic", type=Topic, nargs="*", help="else all of them")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
