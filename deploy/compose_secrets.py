"""Write the secrets that docker-compose.yml hands to its services, each in a file of its own.

    python3 deploy/compose_secrets.py .secrets

Replaces nothing that is there. Needs nothing but Python. The folder is its owner's alone, which
keeps every other user of this machine out; the files in it are readable, because a container's
user, who sees a file and not the folder, is another one.
"""

import secrets
import sys
from pathlib import Path

SCHEMAS = ("intake", "notify", "deadlines", "audit", "bus")
SERVER = "postgres:5432"


def contents() -> dict[str, str]:
    """By file name; whoever holds a DSN holds its password."""
    superuser = _password()
    made = {
        "POSTGRES_PASSWORD": superuser,
        "GRAFANA_PASSWORD": _password(),
        "HARTLINE_SUPERUSER_DSN": f"postgresql://postgres:{superuser}@{SERVER}/postgres",
    }
    for schema in SCHEMAS:
        made[f"HARTLINE_{schema.upper()}_DSN"] = _dsn(f"hartline_{schema}_app")
        made[f"HARTLINE_{schema.upper()}_OWNER_DSN"] = _dsn(f"hartline_{schema}_owner")
    return made


def write(folder: Path) -> list[str]:
    """Returns what it wrote. A part of the set is refused, since its passwords would disagree."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    wanted = contents()
    if missing := [name for name in wanted if not (folder / name).exists()]:
        if len(missing) < len(wanted):
            raise FileExistsError(f"{folder} lacks {', '.join(missing)}: restore or remove it.")
        for name in missing:
            (folder / name).write_text(wanted[name])
            (folder / name).chmod(0o444)
    return missing


def _password() -> str:
    return secrets.token_urlsafe(24)


def _dsn(role: str) -> str:
    return f"postgresql://{role}:{_password()}@{SERVER}/hartline"


if __name__ == "__main__":
    try:
        print(f"{len(write(Path(sys.argv[1])))} secrets written to {sys.argv[1]}")
    except FileExistsError as error:
        sys.exit(str(error))
