"""Arguments of the load programs: nonsense is refused, with the bounds."""

import argparse
import math
from collections.abc import Callable


def between(least: float, most: float) -> Callable[[str], float]:
    """A number in these bounds, both included, for `type=` of an argument."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"give a number from {least:g} to {most:g}")
        return number

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """The same for whole numbers."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"give a whole number from {least} to {most}")
        return number

    return read


def add_bus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
