"""SQLAlchemy's statements as the text and the order of values that asyncpg takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Executable, TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import NullType

from shared.runtime.arrays import as_array

_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]
_MOST_KEPT = 2048


@dataclass(slots=True)
class Compiled:
    """`sql` with $1, $2, …, and the name of the value for each. `given`: values written into the
    statement itself. `row`: the class of its rows, once it has returned some."""

    sql: str
    names: tuple[str, ...]
    given: Mapping[str, Any]
    row: type[Any] | None = None

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """In the order of the text. Raises KeyError for a value that is not there."""
        given = self.given
        return [as_array(parameters[n] if n in parameters else given[n]) for n in self.names]


_known: WeakKeyDictionary[TextClause, Compiled] = WeakKeyDictionary()
"""Of the statements that live in modules: nothing changes a text once it is made."""
_texts: dict[object, Compiled] = {}
"""By their text: a literal statement means the same wherever it is written."""


def compiled(statement: Executable, parameters: Mapping[str, Any] | None) -> Compiled:
    """Texts are compiled once. Constructs (`select(…)`) each time: not for what must be fast."""
    if not isinstance(statement, TextClause):
        return _compile(statement, parameters)
    found = _known.get(statement)
    if found is None:
        found = _known[statement] = _by_text(statement)
    return found


def _by_text(statement: TextClause) -> Compiled:
    if any(not bound.required for bound in statement._bindparams.values()):
        return _compile(statement, None)
    key = _key(statement)
    found = _texts.get(key)
    if found is None:
        if len(_texts) >= _MOST_KEPT:
            _texts.clear()
        found = _texts[key] = _compile(statement, None)
    return found


def _key(statement: TextClause) -> object:
    typed = [
        (name, repr(bound.type))
        for name, bound in statement._bindparams.items()
        if not isinstance(bound.type, NullType)
    ]
    return (statement.text, *typed) if typed else statement.text


def _compile(statement: Executable, parameters: Mapping[str, Any] | None) -> Compiled:
    assert isinstance(statement, ClauseElement)
    names = sorted(parameters) if parameters else None
    done = cast(SQLCompiler, statement.compile(dialect=_DIALECT, column_keys=names))
    # What has no value here must come with every call: it is not NULL because nobody gave it.
    given = {done.bind_names[b]: b.effective_value for b in done.bind_names if not b.required}
    return Compiled(str(done), tuple(done.positiontup or ()), given)
