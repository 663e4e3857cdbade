"""The table of the run file's keys, made from the schema."""

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from equipoise.kinds import TaskConfig, get_kind, list_kinds

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
            # What is annotated, as tasks are, stands inside.
            choice = next(iter(get_args(choice)), choice) if named else choice
            if isinstance(choice, type) and issubclass(choice, BaseModel) and choice not in listed:
                listed.add(choice)
                inner = f"{path}.NAME." if named else f"{path}."
                yield from list_keys(choice, inner, listed)
                if choice is TaskConfig:
                    for kind in list_kinds():
                        for key in list_own_keys(kind, inner, listed):
                            yield key._replace(description=f"({kind}) {key.description}")


def list_own_keys(kind: str, prefix: str = "tasks.NAME.", listed: set[type[BaseModel]] | None = None) -> Iterator[Key]:
    """Yield the keys that a kind of task has beside those of every task, or with another meaning.

    Args:
        kind: its name.
        prefix: what stands before each key.
        listed: sections that are listed already, and are left out; those listed here are added.
    """
    config = get_kind(kind).config_type
    shared = {key: field.description for key, field in TaskConfig.model_fields.items()}
    fields = config.model_fields.items()
    own = [key for key, field in fields if key != "kind" and field.description != shared.get(key)]
    for key in list_keys(config, prefix, listed):
        if key.path.removeprefix(prefix).partition(".")[0] in own:
            yield key


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)
