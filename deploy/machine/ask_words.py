"""The words of `ask`: a request, its body and who asks, in the order in which one types them."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from deploy.operations.places import SERVICES

_FORM = (
    "Write it as ./hartline ask SERVICE GET|POST PATH [JSON] [--as NAME]; SERVICE is one of "
    f"{', '.join(SERVICES)}, and JSON - reads standard input. What was typed is not repeated: it "
    "may be of a child."
)


class AskParser(argparse.ArgumentParser):
    """Of every command; `ask`'s errors repeat nothing of what was typed."""

    def error(self, message: str) -> NoReturn:
        if self.prog.endswith(" ask"):
            refuse(self)
        super().error(message)


def refuse(parser: argparse.ArgumentParser) -> NoReturn:
    parser.exit(2, f"{_FORM}\n")


def add_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("method", choices=("GET", "POST"))
    parser.add_argument("path", help="as the runbook has it: '/v1/tasks?open'")
    parser.add_argument("json", nargs="?", help="the body of a POST; - reads standard input")
    parser.add_argument("--as", dest="person", default="one-machine-operator", metavar="NAME")


def understood(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """As `parse_args`; of `ask`, the body may follow the name."""
    arguments, more = parser.parse_known_args(argv)
    if arguments.command != "ask":
        return parser.parse_args(argv) if more else arguments
    if more and (arguments.json is not None or len(more) > 1 or more[0].startswith("--")):
        refuse(parser)
    arguments.json = more[0] if more else arguments.json
    if arguments.json == "-":
        arguments.json = sys.stdin.read()
    return arguments
