"""deploy/systemd read strictly: a section, key or line that is not known is an error."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.machine.home import ROOT

FOLDER = ROOT / "deploy" / "systemd"
PYTHON = "/opt/hartline/.venv/bin/python"
ANALYZE = shutil.which("systemd-analyze")
KNOWN = {
    "Unit": {
        *("Description", "Documentation", "Wants", "After", "Requires", "PartOf"),
        "StartLimitIntervalSec",
    },
    "Install": {"WantedBy"},
    "Service": {
        *("Type", "User", "Group", "WorkingDirectory", "EnvironmentFile", "Environment"),
        *("LoadCredential", "ExecStart", "StateDirectory", "StateDirectoryMode", "Restart"),
        *("RestartSec", "RemainAfterExit", "TimeoutStartSec", "TimeoutStopSec", "KillMode", "Nice"),
        *("MemoryMax", "TasksMax", "LimitNOFILE", "NoNewPrivileges", "CapabilityBoundingSet"),
        *("AmbientCapabilities", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices"),
        *("PrivateUsers", "ProtectHostname", "ProtectClock", "ProtectKernelTunables"),
        *("ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectProc"),
        *("ProcSubset", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
        *("RestrictAddressFamilies", "LockPersonality", "RemoveIPC", "UMask"),
        *("SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber"),
    },
}
MANY = {"Environment", "LoadCredential", "SystemCallFilter"}

Unit = dict[str, dict[str, list[str]]]


def read(text: str) -> Unit:
    """Section → key → values. Raises ValueError with the line."""
    unit: Unit = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
            unit[section] = {}
            continue
        key, found, value = line.partition("=")
        if not found or key not in KNOWN.get(section, ()):
            raise ValueError(f"line {number}: [{section}] {key} is not known here")
        values = unit[section].setdefault(key, [])
        if values and key not in MANY:
            raise ValueError(f"line {number}: {key} is said twice")
        values.append(value)
    return unit


def units() -> dict[str, Unit]:
    paths = [*FOLDER.glob("*.service"), *FOLDER.glob("*.target")]
    return {path.name: read(path.read_text()) for path in sorted(paths)}


def environment(unit: Unit) -> dict[str, str]:
    """What the process is told, without the file's and without credentials."""
    return dict(pair.split("=", 1) for pair in unit["Service"].get("Environment", []))


def analyzed(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze` of the units with a Python that is there, in `folder`."""
    assert ANALYZE is not None
    for path in [*FOLDER.glob("*.service"), *FOLDER.glob("*.target")]:
        (folder / path.name).write_text(path.read_text().replace(PYTHON, sys.executable))
    names = sorted(path.name for path in folder.iterdir())
    wanted = names if command[0] == "verify" else [name for name in names if "service" in name]
    return subprocess.run(
        [ANALYZE, *command, *wanted], cwd=folder, check=False, capture_output=True, text=True
    )
