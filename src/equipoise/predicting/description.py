"""What the JSON beside a model says of it, checked key by key before anything else is read."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from equipoise.errors import EquipoiseError, ModelError, shorten
from equipoise.files import JSON_LIMIT, read_bytes
from equipoise.kinds import Task, list_kinds, task_from_dict, with_current_names


class DescriptionPart(BaseModel):
    """Keys that belong together: none of another type is taken for what is asked."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class ModelFacts(DescriptionPart):
    """What every model's folder says of it, whatever computes."""

    format_version: int = Field(ge=1)
    max_length: int = Field(gt=2, le=1_000_000_000)
    long_texts: Literal["cut", "windows"] = "cut"  # stated where it is "windows"
    files: dict[str, str] = {}
    tasks: dict[str, dict[str, Any]] = Field(min_length=1)


Facts = TypeVar("Facts", bound=ModelFacts)


def read_description(path: Path, facts: type[Facts], newest: int) -> tuple[Facts, dict[str, Task]]:
    """Read what the JSON beside a model says.

    Args:
        path: the file.
        facts: its keys.
        newest: the latest format version that can be read.

    Returns:
        What it says, and the model's tasks.

    Raises:
        ModelError: the file cannot be read, is of a later version, or a key is missing or not what it should be.
    """
    content = read_bytes(path, JSON_LIMIT, ModelError)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise _damaged(path, f"not valid JSON ({reason})") from None
    version = data.get("format_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > newest:
        raise ModelError(f"{path}: format_version is {version}, this Equipoise reads up to {newest}; upgrade it.")
    try:
        description = facts.model_validate_json(content)
    except ValidationError as error:
        raise _damaged(path, _explain(error)) from None
    return description, {name: _read_task(path, name, task) for name, task in description.tasks.items()}


def _read_task(path: Path, name: str, data: Mapping[str, Any]) -> Task:
    key, data = f"tasks.{name}", with_current_names(data)
    kinds = list_kinds()
    if str(data.get("kind")) not in kinds:
        raise _damaged(path, f"{key}.kind: found {_show(data.get('kind'))}, expected one of {', '.join(kinds)}")
    kind = kinds[str(data["kind"])].task
    stated = {field: value for field, value in data.items() if field != "kind"}
    if unknown := stated.keys() - {field.name for field in fields(kind)}:
        raise _damaged(path, f"{key}.{min(unknown)}: unknown key")
    try:
        TypeAdapter(kind).validate_json(json.dumps(stated), strict=True)
    except ValidationError as error:
        raise _damaged(path, f"{key}.{_explain(error)}") from None
    task = task_from_dict(dict(data))
    if task.name != name:
        raise _damaged(path, f"{key}.name: found {_show(task.name)}, expected {_show(name)}")
    if problem := task.find_problem():
        raise _damaged(path, f"{key}.{problem}")
    return task


def _explain(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(map(str, problem["loc"])) or "the file"
    if problem["type"] == "missing":
        return f"{key}: missing, expected a value"
    expected = problem["msg"].removeprefix("Input should be ")
    return f"{key}: found {_show(problem['input'])}, expected {expected}"


def _show(value: Any) -> str:
    return "nothing" if value is None else shorten(repr(value), 60)


def _damaged(path: Path, what: str) -> EquipoiseError:
    return ModelError(f"{path}: not a readable Equipoise model: {what}; copy or train it again.")
