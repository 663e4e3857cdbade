"""The table of the run file's keys, made from the schema."""

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from .schema import RunConfig


class Key(NamedTuple):
    """One key of the run file."""

    path: str
    default: str
    description: str


def list_keys(
    schema: type[BaseModel] = RunConfig, prefix: str = "", listed: set[type[BaseModel]] | None = None
) -> Iterator[Key]:
    """Yield every key of the run file, sections after the key that holds them; what two keys hold is listed once."""
    listed = set() if listed is None else listed
    for name, field in schema.model_fields.items():
        path = prefix + name
        yield Key(path, _default(field.default), field.description or "")
        named = get_origin(field.annotation) is dict
        for choice in (field.annotation, *get_args(field.annotation)):
            if isinstance(choice, type) and issubclass(choice, BaseModel) and choice not in listed:
                listed.add(choice)
                yield from list_keys(choice, f"{path}.NAME." if named else f"{path}.", listed)


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)
