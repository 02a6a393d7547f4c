"""What the fields of a form are called on paper: the titles of its models."""

from functools import lru_cache

from pydantic import BaseModel

from services.notify.forms.wording import humanised
from shared.typesetting.fonts import printable


@lru_cache(maxsize=1024)
def title_of(model: type[BaseModel] | None, name: str) -> str:
    field = model.model_fields.get(name) if model else None
    return printable((field.title if field else None) or humanised(name))


@lru_cache(maxsize=1024)
def part_of(model: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    """The model of the parts of a list."""
    field = model.model_fields.get(name) if model else None
    stack = [field.annotation] if field else []
    while stack:
        each = stack.pop()
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
        stack.extend(getattr(each, "__args__", ()))
    return None
