"""What a run costs: CPU by program, and each service's work with the database."""

import resource
from collections.abc import Mapping

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from deploy.machine.machine import SERVICES, Machine

_COUNTED = {
    "transactions": "hartline_database_transactions_total",
    "round_trips": "hartline_database_round_trips_total",
}
Counters = dict[str, dict[str, float]]


def programs(machine: Machine) -> dict[str, list[psutil.Process]]:
    """The processes of each program; of PostgreSQL the backends too that live."""
    pids = {name: machine.supervisor.pid(name) for name in SERVICES} | {
        "postgresql": machine.postgres.pid
    }
    if machine.kafka is not None:
        pids["kafka"] = machine.kafka.pid
    return families(pids)


def families(pids: Mapping[str, int | None]) -> dict[str, list[psutil.Process]]:
    """By name: each with the children that live. None: it does not run, which is an error."""
    found = {}
    for name, pid in pids.items():
        assert pid is not None, name
        process = psutil.Process(pid)
        found[name] = [process, *process.children(recursive=True)]
    return found


def cpu_seconds(machine: Machine) -> dict[str, float]:
    """CPU seconds so far, by program; PostgreSQL with its backends."""
    return cpu_of(programs(machine))


def cpu_of(families: Mapping[str, list[psutil.Process]]) -> dict[str, float]:
    """With what has ended of a family, as far as its eldest has waited for it."""
    found = {}
    for name, family in families.items():
        alive = sum(sum(each.cpu_times()[:2]) for each in family)
        found[name] = alive + sum(family[0].cpu_times()[2:4])
    return found


def spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: round(after[name] - before[name], 2) for name in after}


def busy_seconds() -> float:
    """CPU seconds of the whole machine so far, whoever took them."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def own_seconds() -> float:
    """Of the generator and the receivers. Looking for the others' takes a while: ask this after it
    when a run begins, and before it when it ends."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def counters(machine: Machine) -> Counters:
    """What each service has counted so far of its work with the database."""
    found: Counters = {}
    async with aiohttp.ClientSession() as session:
        for name in SERVICES:
            port = getattr(machine.ports, f"{name}_ops")
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                families = text_string_to_metric_families(await answer.text())
            samples = {each.name: each.value for family in families for each in family.samples}
            found[name] = {short: samples[metric] for short, metric in _COUNTED.items()}
    return found


def per_referral(before: Counters, after: Counters, referrals: int) -> Counters:
    return {
        short: {
            name: round((after[name][short] - before[name][short]) / max(referrals, 1), 1)
            for name in SERVICES
        }
        for short in _COUNTED
    }
