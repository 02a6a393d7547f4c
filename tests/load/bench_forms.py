"""What forms cost: `python -m tests.load.bench_forms [--forms 300]`.

Every form's values differ from every other's, as in life, so that nothing but labels and warnings
can be remembered from one to the next. Prints JSON: milliseconds per PDF (wall and CPU) for a usual
DCF-737, a long one, one in Arabic and Chinese, and a long one that eight recipients get one after
another (as a referral's do: only the head differs); microseconds for the JSON; memory in the end.
"""

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psutil

from services.notify.delivery.envelope import Notice, plaintext
from services.notify.forms.schemas import read
from services.notify.forms.typesetting import Typesetter
from tests.support.forms import example

KEPT = {"ht_type", "venues", "sex", "date_of_birth", "victimised_on", "occurred_at", "kind"}
OTHER_LETTERS = "طفلة اصطناعية مثال 示例 合成孩子 汽车旅馆"


def varied(value: Any, chance: random.Random, letters: str = "aeinorst") -> Any:
    """The same with every third letter of every text another one."""
    if isinstance(value, dict):
        return {
            name: each if name in KEPT else varied(each, chance, letters)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [varied(each, chance, letters) for each in value]
    if not isinstance(value, str):
        return value
    return "".join(
        chance.choice(letters) if each.islower() and chance.random() < 0.3 else each
        for each in value
    )


def usual(chance: random.Random) -> bytes:
    form = example()
    changed = {"child": varied(form["child"], chance), "notice_id": f"ntc_{chance.random()}"}
    return json.dumps({**form, **changed}).encode()


def long(chance: random.Random) -> bytes:
    form = json.loads(usual(chance))
    form["child"]["reasons_for_suspicion"] = " ".join(
        varied(form["child"]["reasons_for_suspicion"], chance) for _ in range(40)
    )
    return json.dumps(form).encode()


def other_scripts(chance: random.Random) -> bytes:
    form = json.loads(usual(chance))
    form["child"] = varied(form["child"], chance, OTHER_LETTERS)
    return json.dumps(form).encode()


def long_to_eight() -> Callable[[random.Random], bytes]:
    told = count()
    kept: dict[str, Any] = {}

    def make(chance: random.Random) -> bytes:
        if next(told) % 8 == 0:
            kept.update(json.loads(long(chance)))
        agency = {**kept["recipient"], "name": f"Example Police {chance.random()} (sample)"}
        return json.dumps(
            {**kept, "recipient": agency, "notice_id": f"ntc_{chance.random()}"}
        ).encode()

    return make


def measure(make: Callable[[random.Random], bytes], forms: int) -> dict[str, Any]:
    """A typesetter of its own, warmed by three forms."""
    chance, typesetter = random.Random(4711), Typesetter()
    for _ in range(3):
        typesetter.pdf(read(make(chance)))
    walls, cpus, sizes = [], [], []
    for form in [make(chance) for _ in range(forms)]:
        wall, cpu = time.perf_counter(), time.process_time()
        pdf = typesetter.pdf(read(form))
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
        sizes.append(len(pdf))
    return {
        "wall_ms_median": round(statistics.median(walls), 2),
        "wall_ms_p95": round(statistics.quantiles(walls, n=20)[-1], 2),
        "cpu_ms_median": round(statistics.median(cpus), 2),
        "bytes": round(statistics.mean(sizes)),
    }


def as_json() -> float:
    """Microseconds for the envelope's plaintext."""
    notice = Notice(
        notice_id="ntc_" + "b" * 32,
        kind="original",
        version=1,
        supersedes=None,
        referral_number="HL-TEST-0001",
        trigger="careline",
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
        agency_id="agy_" + "a" * 32,
        role="fbi",
        authority="CGS 17a-28",
        purpose="Investigate alleged trafficking",
        child_id="chd_" + "c" * 32,
        child=example()["child"],
    )
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        plaintext(notice)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forms", type=int, default=300)
    forms = parser.parse_args().forms
    began = time.perf_counter()
    Typesetter().pdf(read(json.dumps(example())))
    cold = (time.perf_counter() - began) * 1000
    report = {
        "first_form_ms": round(cold, 1),
        "usual": measure(usual, forms),
        "long": measure(long, forms // 3),
        "arabic_and_chinese": measure(other_scripts, forms // 3),
        "long_to_eight_recipients": measure(long_to_eight(), forms // 3),
        "json_us_median": as_json(),
        "memory_mb": round(psutil.Process().memory_info().rss / 2**20),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
