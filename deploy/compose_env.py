"""Print a .env for docker-compose.yml with a random password for each database role.

    python3 deploy/compose_env.py > .env

Needs nothing but Python. Keep the file out of the repository (.gitignore does).
"""

import secrets

SCHEMAS = ("intake", "notify", "deadlines", "audit", "bus")
NAMES = (
    "POSTGRES",
    "GRAFANA",
    *(f"{schema.upper()}_{kind}" for schema in SCHEMAS for kind in ("OWNER", "APP")),
)

if __name__ == "__main__":
    for name in NAMES:
        print(f"HARTLINE_{name}_PASSWORD={secrets.token_urlsafe(24)}")
