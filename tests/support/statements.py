"""Counting what is sent to the database."""

from typing import Any

import pytest

from shared.runtime.session import Rows, Session


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that sessions send from now on, in order; BEGIN and COMMIT are not among
    them."""
    statements: list[str] = []
    fetch, fetch_value = Session.execute, Session.scalar

    async def execute(self: Session, statement: Any, parameters: Any = None) -> Rows:
        statements.append(str(statement))
        return await fetch(self, statement, parameters)

    async def scalar(self: Session, statement: Any, parameters: Any = None) -> Any:
        statements.append(str(statement))
        return await fetch_value(self, statement, parameters)

    monkeypatch.setattr(Session, "execute", execute)
    monkeypatch.setattr(Session, "scalar", scalar)
    return statements
