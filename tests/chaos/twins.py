"""A second process of every service, so that somebody takes over from one that is frozen."""

import sys

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES, Machine
from deploy.machine.ports import free_ports
from deploy.machine.processes import Program, Supervisor

_ROLES = {
    "intake": ("relay",),
    "notify": ("consume", "work", "deliver", "relay"),
    "deadlines": ("consume", "work", "sweep", "relay"),
    "audit": ("consume", "work", "seal"),
}
"""All but the API, which has one port."""


def twin(service: str) -> str:
    return f"{service}-twin"


def add_twins(machine: Machine) -> None:
    """After `prepare` and before `run`."""
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    twins = [
        Program(
            twin(service),
            [sys.executable, "-m", f"services.{service}", *_ROLES[service]],
            machine.environment(service)
            | {f"HARTLINE_{service.upper()}_OPS_PORT": str(ports[service])},
            ROOT,
        )
        for service in SERVICES
    ]
    programs = [*machine.supervisor.programs.values(), *twins]
    machine.supervisor = Supervisor(programs, machine.home.logs)
